//! Links that are mailed and open once: an invitation, a new password.

use jiff::{SignedDuration, Timestamp};
use ringfence_ports::{Key, Op, Put, StoreError, Unit, When};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::{
    SessionError,
    live::Current,
    login::{Addressee, NewSession, NotOpened, Opening, Visitor},
    password::{MIN_CHARS, MIN_CHARS_WITH_SECOND_FACTOR, Password},
    throttle::{later, network},
    token::{Ticket, Token},
};
use crate::{
    App,
    access::{Owner, parse_doc, to_doc},
    history::{Action, Actor},
    id, keyspace,
    notification::{Notice, NotifyError, Secret},
    people::{
        Grant, Home, MailAddress, PeopleError, Role, User, UserChange, UserStatus,
        credentials::Credentials,
    },
    settings::Versioned,
};

/// For how long an invitation opens.
pub const INVITATION_TTL: SignedDuration = SignedDuration::from_hours(72);
/// For how long a link to a new password opens.
pub const RESET_TTL: SignedDuration = SignedDuration::from_hours(1);

/// Links to a new password for one address in an hour.
const RESETS_AN_HOUR: i64 = 3;
/// Requests for one from one network in a quarter of an hour.
const RESETS_OF_A_NETWORK: i64 = 20;

/// The longest name, in characters.
const MAX_NAME_CHARS: usize = 200;

const INVITATION: &str = "invitation";
const RESET: &str = "reset";

/// An invitation that was just made.
#[derive(Clone, Debug)]
pub struct Invitation {
    /// To be committed with the person: the link that is in force, and the mail that tells it.
    pub unit: Unit,
    /// What the link ends with.
    pub ticket: Ticket,
    /// Until when it opens.
    pub until: Timestamp,
}

/// The link that is in force, as it is stored.
#[derive(Serialize, Deserialize)]
struct StoredLink {
    sha256: String,
    /// The epoch of the person's sessions when it was made.
    #[serde(default)]
    epoch: u64,
}

impl App {
    /// A page of this installation; without a public origin, only its path.
    pub fn page_url(&self, path: &str) -> String {
        let origin = self.public_origin.as_deref().unwrap_or_default();
        format!("{}{path}", origin.trim_end_matches('/'))
    }

    /// Invites somebody, or does so again: a link that was mailed before no longer opens.
    pub async fn invitation(&self, user: &User) -> Result<Invitation, NotifyError> {
        let ticket = Ticket::new(&user.id, &*self.random);
        let until = later(self.clock.now(), INVITATION_TTL);
        let mut unit = Unit {
            ops: vec![new_link_op(&ticket, INVITATION, until, user.session_epoch)?],
            sends: Vec::new(),
        };
        let notice = Notice::Invitation {
            user: user.id.clone(),
            link: Secret::new(format!("/invitation/{}", ticket.reveal())),
            expires_at: until,
        };
        unit.extend(self.notify(notice).await?);
        Ok(Invitation {
            unit,
            ticket,
            until,
        })
    }

    /// Invites an administrator of `owner` from the machine itself: the first one, whom nobody who is
    /// logged in could invite. One who has not accepted yet gets a new link.
    pub async fn invite_administrator(
        &self,
        owner: &Owner,
        email: &str,
        name: Option<&str>,
    ) -> Result<Invitation, PeopleError> {
        let email = MailAddress::parse(email).ok_or_else(|| {
            PeopleError::field("email", "not_an_address", "must be a mail address")
        })?;
        let (home, role) = match owner {
            Owner::Platform => (Home::Platform, Role::Operator),
            Owner::Agency(agency) => {
                self.find_agency(agency)
                    .await?
                    .ok_or(PeopleError::absent("agency"))?;
                (Home::Agency(agency.clone()), Role::AgencyAdministrator)
            }
            Owner::Account(account) => {
                let account = self
                    .find_account(account)
                    .await?
                    .ok_or(PeopleError::absent("account"))?;
                (Home::Agency(account.value.agency), Role::Administrator)
            }
        };
        let before = self.user_by_mail(&email).await?;
        let after = if let Some(known) = &before {
            let is_waiting = known.value.status == UserStatus::Invited
                && known.value.home == home
                && known
                    .value
                    .grant_on(owner)
                    .is_some_and(|grant| grant.role == role);
            if !is_waiting {
                return Err(PeopleError::AddressTaken);
            }
            known.value.clone()
        } else {
            let now = self.clock.now();
            let local = email.as_str().split('@').next().unwrap_or_default();
            let name = name.unwrap_or(local).to_owned();
            let id = id::new(id::Kind::User, now, &*self.random);
            let mut user = User::invited(id, home, email, name, now);
            user.grants = vec![Grant::new(owner.clone(), role)];
            user
        };
        let invitation = self.invitation(&after).await?;
        let extra = invitation.unit.clone();
        let how = UserChange {
            owner,
            actor: &Actor::system(),
            action: if before.is_some() {
                Action::Update
            } else {
                Action::Create
            },
            part: if before.is_some() { "/invitation" } else { "" },
        };
        self.change_user(before.as_ref(), after, how, extra).await?;
        Ok(invitation)
    }

    /// The person that a link is for, and what using it up takes.
    async fn open_one_time_link(
        &self,
        ticket: &Ticket,
        purpose: &str,
    ) -> Result<(Versioned<User>, Op), SessionError> {
        let link = keyspace::one_time_link(&ticket.user, purpose);
        let keys = [keyspace::user(&ticket.user), link.clone()];
        let rows = self.table.get_many(&keys).await?;
        let [Some(user), Some(row)] = rows.as_slice() else {
            return Err(SessionError::LinkOver);
        };
        let stored: StoredLink = parse_doc(&row.doc)?;
        let is_it: bool = stored
            .sha256
            .as_bytes()
            .ct_eq(ticket.token.hash().as_bytes())
            .into();
        let user = User::from_row(user)?;
        let needed = if purpose == INVITATION {
            UserStatus::Invited
        } else {
            UserStatus::Active
        };
        // What ends a person's sessions (a new password, a suspension) ends what was mailed before it too:
        // it may be in the hands of whom that was meant to shut out.
        let is_superseded = purpose == RESET && stored.epoch != user.value.session_epoch;
        if !is_it || is_superseded || user.value.status != needed {
            return Err(SessionError::LinkOver);
        }
        Ok((user, Op::Delete(link, When::Version(row.version))))
    }

    /// Who is invited by a link. Looking at it spends nothing.
    pub async fn open_invitation(&self, ticket: &Ticket) -> Result<User, SessionError> {
        Ok(self.open_one_time_link(ticket, INVITATION).await?.0.value)
    }

    /// Whose password a link sets. Looking at it spends nothing.
    pub async fn open_reset(&self, ticket: &Ticket) -> Result<User, SessionError> {
        Ok(self.open_one_time_link(ticket, RESET).await?.0.value)
    }

    /// The fewest characters of a person's password.
    pub async fn min_password_chars(&self, user: &User) -> Result<usize, StoreError> {
        let policy = self.login_policy(&user.home).await?;
        Ok(if policy.requires_second_factor {
            MIN_CHARS_WITH_SECOND_FACTOR
        } else {
            MIN_CHARS
        })
    }

    async fn vet_password(
        &self,
        user: &User,
        field: &str,
        password: &Password,
    ) -> Result<(), SessionError> {
        let local = user.email.as_str().split('@').next().unwrap_or_default();
        let about = [user.email.as_str(), local, user.name.as_str()];
        password
            .check(self.min_password_chars(user).await?, &about)
            .map_err(|why| SessionError::field(field, why.code(), why.to_string()))
    }

    /// Accepts an invitation: sets the first password (and a name, where one is given), and logs in.
    pub async fn accept_invitation(
        &self,
        ticket: &Ticket,
        name: Option<&str>,
        password: Password,
        visitor: &Visitor,
    ) -> Result<NewSession, SessionError> {
        let (user, use_up) = self.open_one_time_link(ticket, INVITATION).await?;
        let mut after = user.value.clone();
        after.status = UserStatus::Active;
        if let Some(name) = name {
            let name = name.trim();
            let fits = (1..=MAX_NAME_CHARS).contains(&name.chars().count())
                && !name.chars().any(char::is_control);
            if !fits {
                let reason = format!("must have 1 to {MAX_NAME_CHARS} characters");
                return Err(SessionError::field("name", "out_of_range", reason));
            }
            name.clone_into(&mut after.name);
        }
        self.vet_password(&after, "password", &password).await?;
        let credentials = Credentials {
            password: Some(self.store_password(&after.id, password).await?),
            ..Credentials::default()
        };
        let kept = self.credentials(&after.id).await?;
        let extra = Unit {
            ops: vec![use_up, kept.replace(&after.id, &credentials)?],
            sends: Vec::new(),
        };
        let saved = self
            .change_login(&user, after, "/invitation", visitor, extra)
            .await
            .map_err(used_up)?;
        self.begin(saved, visitor).await
    }

    async fn begin(
        &self,
        user: Versioned<User>,
        visitor: &Visitor,
    ) -> Result<NewSession, SessionError> {
        let opening = Opening {
            visitor,
            ops: Vec::new(),
            recovery_left: None,
            with_factor: false,
            policy: self.login_policy(&user.value.home).await?,
        };
        self.open_session(user, opening)
            .await
            .map_err(|error| match error {
                NotOpened::Lost(_) => StoreError::Busy.into(),
                NotOpened::Failed(error) => error,
            })
    }

    /// Writes a change that a person makes to its own login.
    pub(super) async fn change_login(
        &self,
        before: &Versioned<User>,
        after: User,
        part: &'static str,
        visitor: &Visitor,
        extra: Unit,
    ) -> Result<Versioned<User>, SessionError> {
        let actor = Actor {
            id: after.id.clone(),
            address: visitor.address,
        };
        let how = UserChange {
            owner: &after.home.owner(),
            actor: &actor,
            action: Action::Update,
            part,
        };
        Ok(self.change_user(Some(before), after, how, extra).await?)
    }

    /// Mails a link to a new password to an address, if somebody who can log in has it. The answer, and
    /// how long it takes, is the same if nobody has.
    pub async fn request_reset(&self, email: &str, visitor: &Visitor) -> Result<(), SessionError> {
        if let Some(address) = visitor.address {
            let scope = format!("reset-from/{}", network(address));
            let window = super::throttle::NETWORK_WINDOW;
            let key = |window| keyspace::failures(&scope, window);
            if !self.is_within(key, RESETS_OF_A_NETWORK, window).await? {
                let until = later(self.clock.now(), window);
                return Err(SessionError::Locked { until });
            }
        }
        let Some(address) = MailAddress::parse(email) else {
            return Ok(());
        };
        let mail = self.mail_key(&address).await?;
        let key = |window| keyspace::failures(&format!("reset/{}", mail.pk), window);
        let hour = SignedDuration::from_hours(1);
        if !self.is_within(key, RESETS_AN_HOUR, hour).await? {
            return Ok(());
        }
        let found = match self.table.get(&mail).await? {
            Some(row) => parse_doc::<Addressee>(&row.doc)?.user,
            None => super::login::NOBODY.to_owned(),
        };
        let user = self.user(&found).await?.map(|user| user.value);
        let ticket = Ticket::new(&found, &*self.random);
        let until = later(self.clock.now(), RESET_TTL);
        let epoch = user.as_ref().map_or(0, |user| user.session_epoch);
        let mut op = new_link_op(&ticket, RESET, until, epoch)?;
        let is_active = user.is_some_and(|user| user.is_active());
        // For nobody too, who is then found to be gone: sealing the link takes its time.
        let notice = self
            .notify(Notice::PasswordReset {
                user: if is_active {
                    found
                } else {
                    super::login::NOBODY.to_owned()
                },
                link: Secret::new(format!("/reset/{}", ticket.reveal())),
                expires_at: until,
            })
            .await?;
        if !is_active && let Op::Put(put) = &mut op {
            // A write like the other's, to a place that nothing reads.
            put.key = Key::new(mail.pk, RESET);
        }
        let mut unit = Unit {
            ops: vec![op],
            sends: Vec::new(),
        };
        unit.extend(notice);
        Ok(self.table.commit(unit).await?)
    }

    /// Sets a new password by a link, and ends all sessions. Logging in with it is the next step: the
    /// link stands for the mailbox, not for a second factor.
    pub async fn reset_password(
        &self,
        ticket: &Ticket,
        password: Password,
        visitor: &Visitor,
    ) -> Result<(), SessionError> {
        let (user, use_up) = self.open_one_time_link(ticket, RESET).await?;
        self.vet_password(&user.value, "password", &password)
            .await?;
        let kept = self.credentials(&ticket.user).await?;
        let credentials = Credentials {
            password: Some(self.store_password(&ticket.user, password).await?),
            ..kept.value.clone()
        };
        let mut after = user.value.clone();
        after.session_epoch += 1;
        let mut extra = Unit {
            ops: vec![use_up, kept.replace(&after.id, &credentials)?],
            sends: Vec::new(),
        };
        extra.extend(self.password_changed(&after, visitor).await?);
        self.change_login(&user, after, "/password", visitor, extra)
            .await
            .map_err(used_up)?;
        Ok(())
    }

    async fn password_changed(&self, user: &User, visitor: &Visitor) -> Result<Unit, NotifyError> {
        self.notify(Notice::PasswordChanged {
            user: user.id.clone(),
            address: visitor.address,
            at: self.clock.now(),
        })
        .await
    }

    /// Changes the password within a session. All other sessions end; this one goes on under a new
    /// secret.
    pub async fn change_password(
        &self,
        user: &Versioned<User>,
        session: &Current,
        present: Password,
        new: Password,
        visitor: &Visitor,
    ) -> Result<Ticket, SessionError> {
        let id = user.value.id.as_str();
        let kept = self.credentials(id).await?;
        self.check_password(id, session, &kept, present).await?;
        self.vet_password(&user.value, "new_password", &new).await?;
        let credentials = Credentials {
            password: Some(self.store_password(id, new).await?),
            ..kept.value.clone()
        };
        let mut after = user.value.clone();
        after.session_epoch += 1;
        let ticket = Ticket {
            user: id.to_owned(),
            token: Token::new(&*self.random),
        };
        let mut stored = session.stored.clone();
        stored.epoch = after.session_epoch;
        let mut extra = Unit {
            ops: vec![
                kept.replace(id, &credentials)?,
                Op::Delete(keyspace::session(id, &session.key_hash), When::Present),
                stored.put(id, &ticket.token.hash(), When::Absent)?,
            ],
            sends: Vec::new(),
        };
        extra.extend(self.password_changed(&after, visitor).await?);
        self.change_login(user, after, "/password", visitor, extra)
            .await?;
        Ok(ticket)
    }
}

/// Puts another link into force.
fn new_link_op(
    ticket: &Ticket,
    purpose: &str,
    until: Timestamp,
    epoch: u64,
) -> Result<Op, StoreError> {
    let link = StoredLink {
        sha256: ticket.token.hash(),
        epoch,
    };
    Ok(Op::Put(Put {
        expires_at: Some(until),
        ..Put::new(
            keyspace::one_time_link(&ticket.user, purpose),
            to_doc(&link)?,
            When::Always,
        )
    }))
}

/// What is lost to somebody faster means that the link was used.
fn used_up(error: SessionError) -> SessionError {
    match error {
        SessionError::Conflict(_) => SessionError::LinkOver,
        error => error,
    }
}
