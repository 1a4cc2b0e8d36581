//! Setting up, changing and removing a second factor.
//!
//! What one logs in with is changed only by somebody who has shown the second factor (or, without one,
//! the password) within [`super::CONFIRMED_FOR`].

use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};
use ringfence_ports::{Op, Put, StoreError, Unit, When};
use serde::{Deserialize, Serialize};

use super::{
    SessionError,
    live::Current,
    login::Visitor,
    recovery::RecoveryCodes,
    sms_code::{self, SentCode},
    throttle::later,
    token::Token,
    totp::TotpSecret,
};
use crate::{
    App,
    access::{parse_doc, to_doc},
    keyspace,
    notification::{Notice, NotifyError},
    people::{
        PeopleError, TwoFactorSummary, User,
        credentials::{Credentials, Kept, Sealed},
    },
    settings::Versioned,
};

/// For how long an app may be set up.
const PENDING_TTL: SignedDuration = SignedDuration::from_mins(15);

const APP: &str = "app";
const SMS: &str = "sms";
const PART: &str = "/two-factor";

/// An app that is being set up: to show to its person, and to nobody else.
#[derive(Debug)]
pub struct NewApp {
    /// The secret.
    pub secret: TotpSecret,
    /// The same for a QR code.
    pub uri: String,
    /// Until when it can be confirmed.
    pub until: Timestamp,
}

/// What a person gets when a second factor is set up: recovery codes, when it had none. Shown once.
pub type NewCodes = Option<Vec<String>>;

/// How far a number has come.
#[derive(Debug, PartialEq, Eq)]
pub enum NumberStep {
    /// A code went to the old number: confirm that first.
    OldNumber,
    /// A code went to the new number.
    NewNumber,
    /// The number is set.
    Set(NewCodes),
}

#[derive(Serialize, Deserialize)]
struct PendingApp {
    /// Of this very setting up: guesses are counted by it.
    of: String,
    sealed: Sealed,
}

#[derive(Serialize, Deserialize)]
struct PendingNumber {
    of: String,
    sealed: Sealed,
    /// Whether the old number is still to be confirmed.
    is_old: bool,
    sent: SentCode,
}

impl App {
    fn pending_id(&self) -> String {
        Token::new(&*self.random).hash()
    }

    /// Begins to set up an authenticator app. The one there may be stays until the new one is
    /// confirmed.
    pub async fn start_app(&self, user: &User, session: &Current) -> Result<NewApp, SessionError> {
        let now = self.clock.now();
        session.require_confirmed(now)?;
        let secret = TotpSecret::new(&*self.random);
        let pending = PendingApp {
            of: self.pending_id(),
            sealed: self.seal_totp(&user.id, &secret).await?,
        };
        let until = later(now, PENDING_TTL);
        let put = Put {
            expires_at: Some(until),
            ..Put::new(
                keyspace::pending_factor(&user.id, APP),
                to_doc(&pending)?,
                When::Always,
            )
        };
        let unit = Unit {
            ops: vec![Op::Put(put)],
            sends: Vec::new(),
        };
        self.table.commit(unit).await?;
        Ok(NewApp {
            uri: secret.uri(user.email.as_str()),
            secret,
            until,
        })
    }

    /// The app that is being set up, to be shown again until it is confirmed.
    pub async fn pending_app(&self, user: &User) -> Result<Option<NewApp>, SessionError> {
        let key = keyspace::pending_factor(&user.id, APP);
        let Some(row) = self.table.get(&key).await? else {
            return Ok(None);
        };
        let pending: PendingApp = parse_doc(&row.doc)?;
        let secret = self.open_totp(&user.id, &pending.sealed).await?;
        Ok(Some(NewApp {
            uri: secret.uri(user.email.as_str()),
            secret,
            until: row.expires_at.unwrap_or_else(|| self.clock.now()),
        }))
    }

    /// Confirms with its first code that the app is set up. The session is good for everything then.
    pub async fn confirm_app(
        &self,
        user: &Versioned<User>,
        session: &Current,
        code: &str,
        visitor: &Visitor,
    ) -> Result<NewCodes, SessionError> {
        session.require_confirmed(self.clock.now())?;
        let id = user.value.id.as_str();
        let key = keyspace::pending_factor(id, APP);
        let row = self.table.get(&key).await?.ok_or(NOT_STARTED)?;
        let pending: PendingApp = parse_doc(&row.doc)?;
        self.charge_guess(id, &pending.of).await?;
        let secret = self.open_totp(id, &pending.sealed).await?;
        let code: String = code.chars().filter(|c| !c.is_whitespace()).collect();
        let step = secret
            .step_of(&code, self.clock.now())
            .ok_or(SessionError::WrongCode)?;
        let kept = self.credentials(id).await?;
        let mut after = kept.value.clone();
        after.app = Some(pending.sealed);
        let ops = vec![
            Op::Delete(key, When::Version(row.version)),
            self.used_step(id, step),
        ];
        self.set_factor(
            user,
            session,
            &kept,
            after,
            ops,
            "An authenticator app was set up.",
            visitor,
        )
        .await
    }

    /// Removes the app.
    pub async fn remove_app(
        &self,
        user: &Versioned<User>,
        session: &Current,
        visitor: &Visitor,
    ) -> Result<(), SessionError> {
        session.require_confirmed(self.clock.now())?;
        let kept = self.credentials(&user.value.id).await?;
        let mut after = kept.value.clone();
        if after.app.take().is_none() {
            return Ok(());
        }
        self.remove_factor(
            user,
            session,
            &kept,
            after,
            "The authenticator app was removed.",
            visitor,
        )
        .await
    }

    /// Begins to set up a number for codes by SMS. Where there is one, it is confirmed first, then the
    /// new one.
    pub async fn start_number(
        &self,
        user: &User,
        session: &Current,
        number: &str,
    ) -> Result<NumberStep, SessionError> {
        session.require_confirmed(self.clock.now())?;
        let number: String = number
            .chars()
            .filter(|c| !matches!(c, ' ' | '-' | '(' | ')' | '.'))
            .collect();
        if !is_e164(&number) {
            let reason = "must be a number with + and country code, such as +14155550132";
            return Err(SessionError::field("phone", "not_a_number", reason));
        }
        let kept = self.credentials(&user.id).await?;
        let old = match &kept.value.sms {
            Some(sealed) => Some(self.open_number(&user.id, sealed).await?),
            None => None,
        };
        let sealed = self.seal_number(&user.id, &number).await?;
        let is_old = old.is_some();
        let key = keyspace::pending_factor(&user.id, SMS);
        self.send_pending(
            user,
            sealed,
            is_old,
            old.unwrap_or(number),
            key,
            When::Always,
        )
        .await?;
        Ok(if is_old {
            NumberStep::OldNumber
        } else {
            NumberStep::NewNumber
        })
    }

    async fn send_pending(
        &self,
        user: &User,
        sealed: Sealed,
        is_old: bool,
        to: String,
        key: ringfence_ports::Key,
        when: When,
    ) -> Result<(), SessionError> {
        self.charge_sms(&user.id).await?;
        let of = self.pending_id();
        let (code, sent) = self.new_sms_code(&user.id, &of, 1).await?;
        let pending = PendingNumber {
            of,
            sealed,
            is_old,
            sent,
        };
        let mut unit = Unit {
            ops: vec![Op::Put(Put {
                expires_at: Some(later(self.clock.now(), sms_code::TTL)),
                ..Put::new(key, to_doc(&pending)?, when)
            })],
            sends: Vec::new(),
        };
        unit.extend(self.code_by_sms(user, to, code).await?);
        match self.table.commit(unit).await {
            Err(StoreError::Condition { .. }) => Err(SessionError::WrongCode),
            done => Ok(done?),
        }
    }

    /// Whether a number is being set up, and whether the old one is still to be confirmed.
    pub async fn pending_number(&self, user: &User) -> Result<Option<NumberStep>, SessionError> {
        let key = keyspace::pending_factor(&user.id, SMS);
        let Some(row) = self.table.get(&key).await? else {
            return Ok(None);
        };
        let pending: PendingNumber = parse_doc(&row.doc)?;
        Ok(Some(if pending.is_old {
            NumberStep::OldNumber
        } else {
            NumberStep::NewNumber
        }))
    }

    /// Gives the code that went to the old number, or to the new one.
    pub async fn confirm_number(
        &self,
        user: &Versioned<User>,
        session: &Current,
        code: &str,
        visitor: &Visitor,
    ) -> Result<NumberStep, SessionError> {
        session.require_confirmed(self.clock.now())?;
        let id = user.value.id.as_str();
        let key = keyspace::pending_factor(id, SMS);
        let row = self.table.get(&key).await?.ok_or(NOT_STARTED)?;
        let pending: PendingNumber = parse_doc(&row.doc)?;
        self.charge_guess(id, &pending.of).await?;
        if !self
            .is_sms_code(id, &pending.of, &pending.sent, code)
            .await?
        {
            return Err(SessionError::WrongCode);
        }
        if pending.is_old {
            let number = self.open_number(id, &pending.sealed).await?;
            let when = When::Version(row.version);
            self.send_pending(&user.value, pending.sealed, false, number, key, when)
                .await?;
            return Ok(NumberStep::NewNumber);
        }
        let kept = self.credentials(id).await?;
        let mut after = kept.value.clone();
        after.sms = Some(pending.sealed);
        let ops = vec![Op::Delete(key, When::Version(row.version))];
        let what = "The number for codes by SMS was set.";
        self.set_factor(user, session, &kept, after, ops, what, visitor)
            .await
            .map(NumberStep::Set)
    }

    /// Removes the number.
    pub async fn remove_number(
        &self,
        user: &Versioned<User>,
        session: &Current,
        visitor: &Visitor,
    ) -> Result<(), SessionError> {
        session.require_confirmed(self.clock.now())?;
        let kept = self.credentials(&user.value.id).await?;
        let mut after = kept.value.clone();
        if after.sms.take().is_none() {
            return Ok(());
        }
        let what = "The number for codes by SMS was removed.";
        self.remove_factor(user, session, &kept, after, what, visitor)
            .await
    }

    /// Makes new recovery codes; the old ones open no more.
    pub async fn renew_recovery_codes(
        &self,
        user: &Versioned<User>,
        session: &Current,
        visitor: &Visitor,
    ) -> Result<Vec<String>, SessionError> {
        session.require_confirmed(self.clock.now())?;
        if !user.value.two_factor.is_on() {
            return Err(SessionError::Conflict(
                "Recovery codes stand in for a second factor: set one up first.",
            ));
        }
        let kept = self.credentials(&user.value.id).await?;
        let (codes, hashes) = self.new_recovery_codes(&user.value.id).await?;
        let after = Credentials {
            recovery: hashes,
            ..kept.value.clone()
        };
        let what = "New recovery codes were made.";
        let extra = self
            .factor_unit(
                user,
                session,
                &kept,
                &after,
                Vec::new(),
                what,
                visitor.address,
            )
            .await?;
        self.change_login(user, summarised(&user.value, &after), PART, visitor, extra)
            .await?;
        Ok(codes)
    }

    #[expect(clippy::too_many_arguments, reason = "one change, all that it touches")]
    async fn set_factor(
        &self,
        user: &Versioned<User>,
        session: &Current,
        kept: &Kept,
        mut after: Credentials,
        ops: Vec<Op>,
        what: &str,
        visitor: &Visitor,
    ) -> Result<NewCodes, SessionError> {
        let mut shown = None;
        if after.recovery.left() == 0 {
            let (codes, hashes) = self.new_recovery_codes(&user.value.id).await?;
            after.recovery = hashes;
            shown = Some(codes);
        }
        let extra = self
            .factor_unit(user, session, kept, &after, ops, what, visitor.address)
            .await?;
        self.change_login(user, summarised(&user.value, &after), PART, visitor, extra)
            .await?;
        Ok(shown)
    }

    async fn remove_factor(
        &self,
        user: &Versioned<User>,
        session: &Current,
        kept: &Kept,
        mut after: Credentials,
        what: &str,
        visitor: &Visitor,
    ) -> Result<(), SessionError> {
        if after.app.is_none() && after.sms.is_none() {
            let policy = self.login_policy(&user.value.home).await?;
            if policy.requires_second_factor {
                return Err(SessionError::Conflict(
                    "Your agency requires a second factor: set up another before you remove this one.",
                ));
            }
            after.recovery = RecoveryCodes::default();
        }
        let extra = self
            .factor_unit(
                user,
                session,
                kept,
                &after,
                Vec::new(),
                what,
                visitor.address,
            )
            .await?;
        self.change_login(user, summarised(&user.value, &after), PART, visitor, extra)
            .await?;
        Ok(())
    }

    /// The rows beside the person's own: its credentials, and the session, which is good for everything
    /// once there is a second factor.
    #[expect(clippy::too_many_arguments, reason = "one change, all that it touches")]
    async fn factor_unit(
        &self,
        user: &Versioned<User>,
        session: &Current,
        kept: &Kept,
        after: &Credentials,
        mut ops: Vec<Op>,
        what: &str,
        address: Option<IpAddr>,
    ) -> Result<Unit, SessionError> {
        let id = user.value.id.as_str();
        ops.push(kept.replace(id, after)?);
        if session.is_limited {
            let mut stored = session.stored.clone();
            stored.is_limited = false;
            ops.push(stored.put(id, &session.key_hash, When::Present)?);
        }
        let mut unit = Unit {
            ops,
            sends: Vec::new(),
        };
        unit.extend(self.factor_changed(id, what, address).await?);
        Ok(unit)
    }

    async fn factor_changed(
        &self,
        user: &str,
        what: &str,
        address: Option<IpAddr>,
    ) -> Result<Unit, NotifyError> {
        self.notify(Notice::TwoFactorChanged {
            user: user.to_owned(),
            what: what.to_owned(),
            address,
            at: self.clock.now(),
        })
        .await
    }

    /// What takes somebody's second factors and recovery codes away and ends its sessions: the person
    /// as it is then, and what is committed with it. `None`: there is nothing to take away.
    pub(crate) async fn without_second_factor(
        &self,
        user: &User,
    ) -> Result<Option<(User, Unit)>, PeopleError> {
        let kept = self.credentials(&user.id).await?;
        let credentials = Credentials {
            password: kept.value.password.clone(),
            ..Credentials::default()
        };
        let mut after = summarised(user, &credentials);
        if after == *user {
            return Ok(None);
        }
        after.session_epoch += 1;
        let mut unit = Unit {
            ops: vec![kept.replace(&user.id, &credentials)?],
            sends: Vec::new(),
        };
        // Not from where: that is the administrator's address.
        let what =
            "An administrator reset your second factor. Set it up again when you next log in.";
        unit.extend(self.factor_changed(&user.id, what, None).await?);
        Ok(Some((after, unit)))
    }
}

const NOT_STARTED: SessionError =
    SessionError::Conflict("Nothing is being set up, or it took too long: start again.");

/// The person with what its credentials say about second factors.
fn summarised(user: &User, credentials: &Credentials) -> User {
    let mut after = user.clone();
    after.two_factor = TwoFactorSummary {
        app: credentials.app.is_some(),
        sms: credentials.sms.is_some(),
        recovery_left: credentials.recovery.left(),
    };
    after
}

/// ITU-T E.164: a plus sign, and up to fifteen digits that do not begin with 0.
fn is_e164(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|digits| {
        (8..=15).contains(&digits.len())
            && digits.bytes().all(|b| b.is_ascii_digit())
            && !digits.starts_with('0')
    })
}
