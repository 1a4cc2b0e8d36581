//! A notice as it stands in the table.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::{SignedDuration, Timestamp};
use ringfence_ports::{MAX_DELAY, Message, Op, Put, Row, StoreError, Unit, When};
use serde::{Deserialize, Serialize};

use super::{GIVE_UP_AFTER, Notice, NotifyError, later};
use crate::{
    App,
    access::{Owner, parse_doc, to_doc},
    id, keyspace,
};

/// For how long it is known that a notice was sent.
const KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);
/// For how long one that was given up is listed.
const KEPT_UNSENT: SignedDuration = SignedDuration::from_hours(90 * 24);
/// How long after its time a message is taken to be lost.
const GRACE: SignedDuration = SignedDuration::from_mins(10);

/// To whom.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum To {
    /// One person.
    User(String),
    /// Several.
    Users(Vec<String>),
    /// Those who administer it when the notice is sent.
    Administrators(Owner),
    /// The phone whose number is sealed in the notice.
    Number,
}

/// How it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    /// To be sent at its time.
    Queued,
    /// Claimed.
    Sending,
    /// Handed over, or made into one for each recipient.
    Sent,
    /// Given up.
    Unsent,
}

/// A notice's row.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Stored {
    pub(super) id: String,
    pub(super) kind: String,
    pub(super) to: To,
    pub(super) state: State,
    /// What it says; gone when it is sent or given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) notice: Option<Notice>,
    /// What of it is secret: a JSON list, sealed, in Base64. Gone with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) sealed: Option<String>,
    pub(super) created_at: Timestamp,
    /// When it is given up.
    pub(super) until: Timestamp,
    /// Queued: when it is sent. Sending: when the claim runs out.
    pub(super) next_at: Timestamp,
    pub(super) attempts: u32,
    /// Why it was not sent the last time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
    /// Whose people its recipient is one of, once it is given up: who is shown that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) home: Option<Owner>,
    /// When it was sent or given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ended_at: Option<Timestamp>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Order {
    pub(super) notice: String,
}

impl Stored {
    /// One that is to be sent now.
    pub(super) async fn new(
        app: &App,
        id: String,
        mut notice: Notice,
        to: To,
        now: Timestamp,
    ) -> Result<Self, NotifyError> {
        let secrets: Vec<String> = notice
            .secrets()
            .into_iter()
            .map(|secret| std::mem::take(&mut secret.0))
            .collect();
        let sealed = if secrets.is_empty() {
            None
        } else {
            let plain = to_doc(&secrets)?;
            let sealed = app.keys.seal(&context(&id), plain.as_bytes()).await?;
            Some(STANDARD.encode(sealed))
        };
        Ok(Self {
            kind: notice.kind().to_owned(),
            until: notice
                .useless_from()
                .unwrap_or_else(|| later(now, GIVE_UP_AFTER)),
            id,
            to,
            state: State::Queued,
            notice: Some(notice),
            sealed,
            created_at: now,
            next_at: now,
            attempts: 0,
            reason: None,
            home: None,
            ended_at: None,
        })
    }

    /// The same notice to one of its recipients. Its id follows from both.
    pub(super) fn for_user(&self, user: &str) -> Self {
        let digest = ring::digest::digest(
            &ring::digest::SHA256,
            format!("{}/{user}", self.id).as_bytes(),
        );
        let mut tail = [0; 10];
        tail.copy_from_slice(digest.as_ref().get(..10).unwrap_or(&[0; 10]));
        Self {
            id: id::with_tail(id::Kind::Notice, self.created_at, tail),
            to: To::User(user.to_owned()),
            state: State::Queued,
            attempts: 0,
            ..self.clone()
        }
    }

    pub(super) fn from_row(row: &Row) -> Result<Self, StoreError> {
        parse_doc(&row.doc)
    }

    /// The notice with what is secret in it.
    pub(super) async fn opened(&self, app: &App) -> Result<Option<Notice>, NotifyError> {
        let Some(mut notice) = self.notice.clone() else {
            return Ok(None);
        };
        if let Some(sealed) = &self.sealed {
            let sealed = STANDARD.decode(sealed).map_err(|_| damaged())?;
            let plain = app.keys.open(&context(&self.id), &sealed).await?;
            let secrets: Vec<String> = serde_json::from_slice(&plain).map_err(|_| damaged())?;
            for (place, secret) in notice.secrets().into_iter().zip(secrets) {
                place.0 = secret;
            }
        }
        Ok(Some(notice))
    }

    /// Row and message of one that is new.
    pub(super) fn order(&self, sends_with_rows: bool, now: Timestamp) -> Result<Unit, StoreError> {
        Ok(Unit {
            ops: vec![Op::Put(self.put(When::Absent, sends_with_rows, now)?)],
            sends: self.message(now)?.into_iter().collect(),
        })
    }

    /// The write of this state. While something is left to do there is a due time at which `sweep` sends
    /// the message (again): not where row and message are one commit and the queue holds it, for then it
    /// cannot be lost.
    pub(super) fn put(
        &self,
        when: When,
        sends_with_rows: bool,
        now: Timestamp,
    ) -> Result<Put, StoreError> {
        let due = match self.state {
            State::Sent | State::Unsent => None,
            State::Queued if self.is_for_sweep(now) => Some(self.next_at),
            State::Queued if sends_with_rows => None,
            State::Queued | State::Sending => Some(later(self.next_at, GRACE)),
        };
        let kept = if self.state == State::Unsent {
            KEPT_UNSENT
        } else {
            KEPT
        };
        let listed = self
            .home
            .as_ref()
            .filter(|_| self.state == State::Unsent)
            .map(|home| keyspace::unsent_notice(home.as_str(), &self.id));
        Ok(Put {
            index: [listed, due.map(|at| keyspace::due(at, &self.id))],
            expires_at: self.ended_at.map(|at| later(at, kept)),
            ..Put::new(keyspace::notice(&self.id), to_doc(self)?, when)
        })
    }

    /// Whether its time is too far off for a queue.
    fn is_for_sweep(&self, now: Timestamp) -> bool {
        let wait = self.next_at.duration_since(now);
        Duration::try_from(wait).is_ok_and(|wait| wait > MAX_DELAY)
    }

    /// What brings it to the consumer at its time; `None`: `sweep` does.
    pub(super) fn message(&self, now: Timestamp) -> Result<Option<Message>, StoreError> {
        if self.is_for_sweep(now) {
            return Ok(None);
        }
        let order = Order {
            notice: self.id.clone(),
        };
        Ok(Some(Message {
            queue: keyspace::NOTIFY,
            body: to_doc(&order)?,
            delay: Duration::try_from(self.next_at.duration_since(now)).unwrap_or_default(),
            group: self.group(),
        }))
    }

    /// Ends it: what it said is erased.
    pub(super) fn end(&mut self, state: State, now: Timestamp) {
        self.state = state;
        self.notice = None;
        self.sealed = None;
        self.ended_at = Some(now);
    }

    /// One person's notices do not hold up another's.
    fn group(&self) -> String {
        match &self.to {
            To::User(user) => user.clone(),
            To::Administrators(owner) => owner.as_str().to_owned(),
            To::Users(_) => "many".to_owned(),
            To::Number => "sms".to_owned(),
        }
    }

    /// What `sweep` does with one that is due: sends its message, and looks again later, in case that
    /// this one is lost too.
    pub(crate) fn again(row: &Row, now: Timestamp) -> Result<Unit, StoreError> {
        let stored = Self::from_row(row)?;
        let put = Put {
            index: [None, Some(keyspace::due(later(now, GRACE), &stored.id))],
            ..Put::new(row.key.clone(), row.doc.clone(), When::Version(row.version))
        };
        Ok(Unit {
            ops: vec![Op::Put(put)],
            sends: stored.message(now)?.into_iter().collect(),
        })
    }
}

fn context(id: &str) -> String {
    format!("notice/{id}")
}

fn damaged() -> StoreError {
    StoreError::Unavailable("a stored notice does not parse".to_owned())
}
