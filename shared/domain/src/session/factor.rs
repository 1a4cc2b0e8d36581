//! Whether a code is the second factor of somebody, and what using it writes.

use ringfence_ports::{Op, Put, StoreError, Unit, When};
use serde::{Deserialize, Serialize};

use super::{
    MAX_GUESSES, SessionError,
    sms_code::{self, SentCode},
    throttle::later,
    totp::STEP_SECONDS,
};
use crate::{
    App,
    access::{parse_doc, to_doc},
    keyspace,
    notification::{Notice, NotifyError, Secret},
    people::{User, credentials::Kept},
};

/// By what somebody shows to be itself, beside or instead of the password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// An authenticator app.
    App,
    /// A code sent by SMS.
    Sms,
    /// A recovery code.
    RecoveryCode,
}

impl Method {
    /// Those that a person has.
    pub fn of(user: &User) -> Vec<Self> {
        let summary = user.two_factor;
        [
            (summary.app, Self::App),
            (summary.sms, Self::Sms),
            (summary.recovery_left > 0, Self::RecoveryCode),
        ]
        .into_iter()
        .filter_map(|(has, method)| has.then_some(method))
        .collect()
    }
}

/// A right code: what must be written, all of it, for it to count. Whoever writes second finds that it
/// was used.
pub(crate) struct Proof {
    pub(crate) ops: Vec<Op>,
    /// The recovery codes left then.
    pub(crate) recovery_left: Option<u8>,
}

impl App {
    /// Counts a guess at a code of `of` (a login, a session, an enrolment), before anything is computed.
    pub(crate) async fn charge_guess(&self, user: &str, of: &str) -> Result<(), SessionError> {
        let key = keyspace::code_guesses(user, of);
        let expires_at = Some(later(self.clock.now(), super::LIFETIME));
        match self
            .table
            .count(&key, 1, Some(MAX_GUESSES), expires_at)
            .await
        {
            Ok(_) => Ok(()),
            Err(StoreError::Condition { .. }) => Err(SessionError::AttemptOver),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether `code` is a second factor of `user` for `of`. Writes nothing.
    pub(crate) async fn prove(
        &self,
        user: &User,
        credentials: &Kept,
        of: &str,
        method: Method,
        code: &str,
    ) -> Result<Option<Proof>, SessionError> {
        match method {
            Method::App => {
                let Some(sealed) = &credentials.value.app else {
                    return Ok(None);
                };
                let now = self.clock.now();
                let secret = self.open_totp(&user.id, sealed).await?;
                let code: String = code.chars().filter(|c| !c.is_whitespace()).collect();
                let Some(step) = secret.step_of(&code, now) else {
                    return Ok(None);
                };
                Ok(Some(Proof {
                    ops: vec![self.used_step(&user.id, step)],
                    recovery_left: None,
                }))
            }
            Method::Sms => {
                let key = keyspace::sms_code(&user.id, of);
                let Some(row) = self.table.get(&key).await? else {
                    return Ok(None);
                };
                let sent: SentCode = parse_doc(&row.doc)?;
                if credentials.value.sms.is_none()
                    || !self.is_sms_code(&user.id, of, &sent, code).await?
                {
                    return Ok(None);
                }
                Ok(Some(Proof {
                    ops: vec![Op::Delete(key, When::Version(row.version))],
                    recovery_left: None,
                }))
            }
            Method::RecoveryCode => {
                let left = self
                    .use_recovery_code(&user.id, &credentials.value.recovery, code)
                    .await?;
                let Some(left) = left else { return Ok(None) };
                let recovery_left = Some(left.left());
                let after = crate::people::credentials::Credentials {
                    recovery: left,
                    ..credentials.value.clone()
                };
                Ok(Some(Proof {
                    ops: vec![credentials.replace(&user.id, &after)?],
                    recovery_left,
                }))
            }
        }
    }

    /// Says that a time step's code was used. Kept until no clock takes it for one of now.
    pub(crate) fn used_step(&self, user: &str, step: u64) -> Op {
        let seconds = i64::try_from(STEP_SECONDS * 4).unwrap_or(120);
        let until = later(self.clock.now(), jiff::SignedDuration::from_secs(seconds));
        Op::Put(Put {
            expires_at: Some(until),
            ..Put::new(keyspace::totp_step(user, step), "{}", When::Absent)
        })
    }

    /// Sends a code for `of` to the person's number. A new one takes the place of the one before.
    pub(crate) async fn send_sms_code(
        &self,
        user: &User,
        credentials: &Kept,
        of: &str,
    ) -> Result<(), SessionError> {
        const NO_NUMBER: SessionError =
            SessionError::Conflict("No number for codes by SMS is set up.");
        let sealed = credentials.value.sms.as_ref().ok_or(NO_NUMBER)?;
        let to = self.open_number(&user.id, sealed).await?;
        let key = keyspace::sms_code(&user.id, of);
        let (sends, when) = match self.table.get(&key).await? {
            Some(row) => (
                parse_doc::<SentCode>(&row.doc)?.sends,
                When::Version(row.version),
            ),
            None => (0, When::Absent),
        };
        if sends >= sms_code::MAX_SENDS {
            return Err(SessionError::Conflict(
                "Three codes were sent for this already: use the last one, or start again.",
            ));
        }
        self.charge_sms(&user.id).await?;
        let (code, sent) = self.new_sms_code(&user.id, of, sends + 1).await?;
        let mut unit = Unit {
            ops: vec![Op::Put(Put {
                expires_at: Some(later(self.clock.now(), sms_code::TTL)),
                ..Put::new(key, to_doc(&sent)?, when)
            })],
            sends: Vec::new(),
        };
        unit.extend(self.code_by_sms(user, to, code).await?);
        match self.table.commit(unit).await {
            Ok(()) => Ok(()),
            Err(StoreError::Condition { .. }) => Err(SessionError::Conflict(
                "Another code was sent at the same moment.",
            )),
            Err(error) => Err(error.into()),
        }
    }

    /// What brings a code to a number.
    pub(crate) async fn code_by_sms(
        &self,
        user: &User,
        number: String,
        code: String,
    ) -> Result<Unit, NotifyError> {
        self.notify(Notice::SmsCode {
            user: user.id.clone(),
            number: Secret::new(number),
            code: Secret::new(code),
            expires_at: later(self.clock.now(), sms_code::TTL),
        })
        .await
    }

    /// Counts an SMS to a person: each costs money, and nags.
    pub(crate) async fn charge_sms(&self, user: &str) -> Result<(), SessionError> {
        let hour = jiff::SignedDuration::from_hours(1);
        let key = |window| keyspace::sms_codes_sent(user, window);
        if self
            .is_within(key, sms_code::MAX_SENDS_AN_HOUR, hour)
            .await?
        {
            Ok(())
        } else {
            Err(SessionError::Locked {
                until: later(self.clock.now(), hour),
            })
        }
    }
}
