//! Logging in: the password, then the second factor where one is asked.

use std::net::IpAddr;

use jiff::Timestamp;
use ringfence_ports::{Op, Put, StoreError, Unit, When};
use serde::{Deserialize, Serialize};

use super::{
    ATTEMPT_TTL, SessionError,
    device::{Device, KNOWN_FOR, KnownDevice, SECOND_FACTOR_FOR},
    factor::{Method, Proof},
    live::{Current, StoredSession},
    password::Password,
    throttle::{later, network},
    token::{Ticket, Token},
};
use crate::{
    App,
    access::{parse_doc, to_doc},
    id, keyspace,
    notification::{Notice, NotifyError},
    people::{MailAddress, User, credentials::Kept},
    settings::{AskSecondFactor, LoginPolicy, Versioned},
};

/// Whose rows are read where an address is nobody's, so that it takes as long.
pub(super) const NOBODY: &str = "usr_00000000000000000000000000000000";

/// How often a login is tried again when the person's row changed meanwhile.
const ATTEMPTS: usize = 32;

/// The longest description of a browser that is kept, in characters.
const MAX_AGENT_CHARS: usize = 200;

/// Where a login comes from.
#[derive(Clone, Debug, Default)]
pub struct Visitor {
    /// The address, when known.
    pub address: Option<IpAddr>,
    /// What the browser says that it is.
    pub agent: Option<String>,
    /// The devices that its cookies name, one for each person that has logged in there.
    pub devices: Vec<Device>,
}

impl Visitor {
    fn network(&self) -> Option<String> {
        self.address.map(network)
    }
}

/// What became of a right password.
#[derive(Debug)]
pub enum LoggedIn {
    /// A session.
    Session(Box<NewSession>),
    /// The second factor is asked first.
    SecondFactor(NewAttempt),
}

/// A session that has just begun.
#[derive(Debug)]
pub struct NewSession {
    /// Whose.
    pub user: User,
    /// The session.
    pub session: Current,
    /// What the session's cookie holds.
    pub ticket: Ticket,
    /// What the device's cookie holds.
    pub device: Device,
}

/// A login that waits for its second factor.
#[derive(Debug)]
pub struct NewAttempt {
    /// What names it.
    pub ticket: Ticket,
    /// By what it can be given.
    pub methods: Vec<Method>,
    /// Until when.
    pub ends_at: Timestamp,
}

/// An attempt as it is stored.
#[derive(Serialize, Deserialize)]
struct Attempt {
    epoch: u64,
    ends_at: Timestamp,
}

/// A session that is about to begin.
pub(super) struct Opening<'a> {
    pub(super) visitor: &'a Visitor,
    /// What must be written with it; each has a condition of its own.
    pub(super) ops: Vec<Op>,
    /// The recovery codes left then.
    pub(super) recovery_left: Option<u8>,
    /// Whether the second factor was given just now.
    pub(super) with_factor: bool,
    pub(super) policy: LoginPolicy,
}

/// Why a session did not begin.
pub(super) enum NotOpened {
    /// This of its own operations found its condition broken.
    Lost(usize),
    Failed(SessionError),
}

impl From<StoreError> for NotOpened {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

impl App {
    /// Looks at a mail address and a password. The answer, and how long it takes, is the same whether
    /// there is such an address or not.
    pub async fn log_in(
        &self,
        email: &str,
        password: Password,
        visitor: &Visitor,
    ) -> Result<LoggedIn, SessionError> {
        let now = self.clock.now();
        // What is no address is nobody's.
        let address = MailAddress::parse(email).ok_or(SessionError::Wrong)?;
        let mail = self.mail_key(&address).await?;
        let found = match self.table.get(&mail).await? {
            Some(row) => Some(parse_doc::<Addressee>(&row.doc)?.user),
            None => None,
        };
        let id = found.as_deref().unwrap_or(NOBODY);
        let device = visitor.devices.iter().find(|device| device.user == id);
        let device_hash = device.map_or_else(String::new, |device| device.token.hash());
        let keys = [
            keyspace::user(id),
            keyspace::credentials(id),
            keyspace::device(id, &device_hash),
        ];
        let rows = self.table.get_many(&keys).await?;
        let [user, credentials, known] = <[_; 3]>::try_from(rows)
            .map_err(|_| StoreError::Invalid("a read answered too little"))?;
        let user = user.as_ref().map(User::from_row).transpose()?;
        let credentials = Kept::from_row(credentials.as_ref())?;
        let known = known.map(|row| KnownDevice::parse(&row.doc)).transpose()?;

        let stored = credentials.value.password.as_ref();
        let version = stored.map_or("-", |stored| stored.version.as_str());
        // Under the row of the address, which tells no address; the same for one that nobody has.
        let mut scope = format!("{}/{version}", mail.pk);
        let mut from = visitor.network();
        if known.is_some() {
            scope = format!("{scope}/{device_hash}");
            from = None;
        }
        let charge = self.count_attempt(scope, from).await?;
        let is_right = self.is_password(id, stored, password).await?;
        let user = user.filter(|user| is_right && user.value.is_active());
        let Some(user) = user else {
            let locked = self.was_wrong(charge).await?;
            if let Some(until) = locked {
                self.tell_of_lock(id, visitor.address, until).await;
            }
            return Err(SessionError::Wrong);
        };
        self.was_right(charge).await;

        let policy = self.login_policy(&user.value.home).await?;
        let vouched = policy.ask == AskSecondFactor::Every30Days
            && known.is_some_and(|known| known.vouches(user.value.session_epoch, now));
        if user.value.two_factor.is_on() && !vouched {
            return Ok(LoggedIn::SecondFactor(
                self.begin_attempt(&user.value).await?,
            ));
        }
        let opening = Opening {
            visitor,
            ops: Vec::new(),
            recovery_left: None,
            with_factor: false,
            policy,
        };
        match self.open_session(user, opening).await {
            Ok(session) => Ok(LoggedIn::Session(Box::new(session))),
            Err(NotOpened::Lost(_)) => Err(StoreError::Busy.into()),
            Err(NotOpened::Failed(error)) => Err(error),
        }
    }

    async fn begin_attempt(&self, user: &User) -> Result<NewAttempt, StoreError> {
        let ticket = Ticket::new(&user.id, &*self.random);
        let ends_at = later(self.clock.now(), ATTEMPT_TTL);
        let attempt = Attempt {
            epoch: user.session_epoch,
            ends_at,
        };
        let put = Put {
            expires_at: Some(ends_at),
            ..Put::new(
                keyspace::login_attempt(&user.id, &ticket.token.hash()),
                to_doc(&attempt)?,
                When::Absent,
            )
        };
        let unit = Unit {
            ops: vec![Op::Put(put)],
            sends: Vec::new(),
        };
        self.table.commit(unit).await?;
        Ok(NewAttempt {
            ticket,
            methods: Method::of(user),
            ends_at,
        })
    }

    /// The person, the credentials and the version of an attempt that is in force.
    async fn attempt(&self, ticket: &Ticket) -> Result<(Versioned<User>, Kept, u64), SessionError> {
        let id = ticket.user.as_str();
        let keys = [
            keyspace::user(id),
            keyspace::credentials(id),
            keyspace::login_attempt(id, &ticket.token.hash()),
        ];
        let rows = self.table.get_many(&keys).await?;
        let [Some(user), credentials, Some(attempt)] = rows.as_slice() else {
            return Err(SessionError::AttemptOver);
        };
        let user = User::from_row(user)?;
        let stored: Attempt = parse_doc(&attempt.doc)?;
        let is_over = !user.value.is_active()
            || stored.epoch != user.value.session_epoch
            || stored.ends_at <= self.clock.now();
        if is_over {
            return Err(SessionError::AttemptOver);
        }
        Ok((user, Kept::from_row(credentials.as_ref())?, attempt.version))
    }

    /// What an attempt can still be finished by.
    pub async fn attempt_methods(&self, ticket: &Ticket) -> Result<Vec<Method>, SessionError> {
        Ok(Method::of(&self.attempt(ticket).await?.0.value))
    }

    /// Sends a code by SMS for an attempt.
    pub async fn send_code_for_attempt(&self, ticket: &Ticket) -> Result<(), SessionError> {
        let (user, credentials, _) = self.attempt(ticket).await?;
        self.send_sms_code(&user.value, &credentials, &ticket.token.hash())
            .await
    }

    /// Finishes a login with its second factor. A guess is counted before it is looked at; a code opens
    /// one session, whoever else gives it at the same moment.
    pub async fn finish_login(
        &self,
        ticket: &Ticket,
        method: Method,
        code: &str,
        visitor: &Visitor,
    ) -> Result<NewSession, SessionError> {
        let attempt = ticket.token.hash();
        let (mut user, mut credentials, version) = self.attempt(ticket).await?;
        let policy = self.login_policy(&user.value.home).await?;
        self.charge_guess(&ticket.user, &attempt).await?;
        let scope = self.code_scope(&ticket.user, visitor).await?;
        let charge = self.count_attempt(scope, None).await?;
        for _ in 0..ATTEMPTS {
            let proof = self
                .prove(&user.value, &credentials, &attempt, method, code)
                .await?;
            let Some(Proof { ops, recovery_left }) = proof else {
                break;
            };
            let key = keyspace::login_attempt(&ticket.user, &attempt);
            let mut all = vec![Op::Delete(key, When::Version(version))];
            all.extend(ops);
            let opening = Opening {
                visitor,
                ops: all,
                recovery_left,
                with_factor: true,
                policy,
            };
            match self.open_session(user, opening).await {
                Ok(session) => {
                    self.was_right(charge).await;
                    return Ok(session);
                }
                // Another request finished this very login.
                Err(NotOpened::Lost(0)) => {
                    self.was_right(charge).await;
                    return Err(SessionError::AttemptOver);
                }
                // The credentials changed meanwhile: the code may be there yet.
                Err(NotOpened::Lost(_)) if method == Method::RecoveryCode => {
                    (user, credentials, _) = self.attempt(ticket).await?;
                }
                Err(NotOpened::Lost(_)) => break,
                Err(NotOpened::Failed(error)) => return Err(error),
            }
        }
        if let Some(until) = self.was_wrong(charge).await? {
            self.tell_of_lock(&ticket.user, visitor.address, until)
                .await;
        }
        Err(SessionError::WrongCode)
    }

    /// Whose guesses at codes are counted together: those of a known device, or those of all others.
    async fn code_scope(&self, user: &str, visitor: &Visitor) -> Result<String, StoreError> {
        let device = visitor.devices.iter().find(|device| device.user == user);
        if let Some(device) = device {
            let hash = device.token.hash();
            if self
                .table
                .get(&keyspace::device(user, &hash))
                .await?
                .is_some()
            {
                return Ok(format!("code/{user}/{hash}"));
            }
        }
        Ok(format!("code/{user}"))
    }

    /// Tells a person that logins from unknown devices are locked; for nobody it takes as long, and
    /// whoever is to be told is found to be gone. A lock stands whether or not it can be told of.
    pub(crate) async fn tell_of_lock(&self, user: &str, address: Option<IpAddr>, until: Timestamp) {
        let told = async {
            let notice = Notice::AccountLocked {
                user: user.to_owned(),
                address,
                until,
            };
            let unit = self.notify(notice).await?;
            Ok::<_, NotifyError>(self.table.commit(unit).await?)
        };
        if let Err(error) = told.await {
            tracing::warn!(%error, "a lock goes without its notice");
        }
    }

    /// Begins a session of `user`, in one commit with what brought it about, the time of the last
    /// login, and what makes device and address known.
    pub(super) async fn open_session(
        &self,
        user: Versioned<User>,
        opening: Opening<'_>,
    ) -> Result<NewSession, NotOpened> {
        let visitor = opening.visitor;
        let own = opening.ops.len();
        let mut user = user;
        let epoch = user.value.session_epoch;
        let ticket = Ticket::new(&user.value.id, &*self.random);
        let device = Ticket {
            user: user.value.id.clone(),
            token: Token::new(&*self.random),
        };
        for _ in 0..ATTEMPTS {
            let now = self.clock.now();
            let id = user.value.id.clone();
            let mut after = user.value.clone();
            after.last_login_at = Some(now);
            if let Some(left) = opening.recovery_left {
                after.two_factor.recovery_left = left;
            }
            let has_factor = after.two_factor.is_on();
            let is_limited = opening.policy.requires_second_factor && !has_factor;
            let stored = StoredSession::new(
                self,
                now,
                epoch,
                // Whoever has a second factor and was not asked for it has not shown it just now.
                (opening.with_factor || !has_factor).then_some(now),
                is_limited,
                visitor.address,
                visitor.agent.as_deref().map(|agent| {
                    agent
                        .chars()
                        .filter(|c| !c.is_control())
                        .take(MAX_AGENT_CHARS)
                        .collect()
                }),
            );
            let mut ops = opening.ops.clone();
            ops.push(stored.put(&id, &ticket.token.hash(), When::Absent)?);
            ops.push(Op::Put(after.put(When::Version(user.version))?));
            let mut sends = Vec::new();
            self.device_ops(&after, visitor, &opening, &device, now, &mut ops)
                .await?;
            if let Some(address) = visitor.address {
                let key = keyspace::login_address(&id, &network(address));
                let is_new = self.table.get(&key).await?.is_none();
                if is_new && user.value.last_login_at.is_some() {
                    let notice = Notice::NewLogin {
                        user: id.clone(),
                        address: address.to_canonical(),
                        device: visitor.agent.clone(),
                        at: now,
                    };
                    let unit = self
                        .notify(notice)
                        .await
                        .map_err(|error| NotOpened::Failed(error.into()))?;
                    ops.extend(unit.ops);
                    sends.extend(unit.sends);
                }
                ops.push(Op::Put(Put {
                    expires_at: Some(later(now, KNOWN_FOR)),
                    ..Put::new(key, "{}", When::Always)
                }));
            }
            match self.table.commit(Unit { ops, sends }).await {
                Ok(()) => {
                    let session = stored.current(&ticket.token.hash(), 1, opening.policy.idle);
                    return Ok(NewSession {
                        user: after,
                        session,
                        ticket,
                        device,
                    });
                }
                Err(StoreError::Condition { op }) if op < own => return Err(NotOpened::Lost(op)),
                Err(StoreError::Condition { .. }) => {
                    user = self
                        .user(&id)
                        .await?
                        .filter(|user| user.value.is_active() && user.value.session_epoch == epoch)
                        .ok_or(NotOpened::Failed(SessionError::Wrong))?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Busy.into())
    }

    /// The device gets a new secret, and remembers that the second factor was given there.
    async fn device_ops(
        &self,
        user: &User,
        visitor: &Visitor,
        opening: &Opening<'_>,
        device: &Device,
        now: Timestamp,
        ops: &mut Vec<Op>,
    ) -> Result<(), StoreError> {
        let mut known = KnownDevice {
            first_login_at: now,
            second_factor_until: None,
            epoch: user.session_epoch,
        };
        let old = visitor.devices.iter().find(|old| old.user == user.id);
        if let Some(old) = old {
            let key = keyspace::device(&user.id, &old.token.hash());
            if let Some(row) = self.table.get(&key).await? {
                let before = KnownDevice::parse(&row.doc)?;
                known.first_login_at = before.first_login_at;
                if before.epoch == known.epoch {
                    known.second_factor_until = before.second_factor_until;
                }
                ops.push(Op::Delete(key, When::Always));
            }
        }
        if opening.with_factor && opening.policy.ask == AskSecondFactor::Every30Days {
            known.second_factor_until = Some(later(now, SECOND_FACTOR_FOR));
        }
        ops.push(known.put(device, now)?);
        Ok(())
    }
}

/// Whose an address is.
#[derive(Deserialize)]
pub(super) struct Addressee {
    pub(super) user: String,
}

/// A new public id of a session.
pub(super) fn session_id(app: &App, now: Timestamp) -> String {
    id::new(id::Kind::Session, now, &*app.random)
}
