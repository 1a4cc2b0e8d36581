//! Sessions that are open: who is behind a cookie, for how much longer, and their end.

use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};
use ringfence_ports::{Op, Put, Query, StoreError, Unit, When};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::{
    CONFIRMED_FOR, LIFETIME, SessionError, factor::Method, factor::Proof, login::session_id,
    password::Password, throttle::later, token::Ticket,
};
use crate::{
    App,
    access::{parse_doc, to_doc},
    derived::mac_of,
    id, keyspace,
    people::{User, credentials::Kept},
    settings::Versioned,
};

/// An activity is written down at most once in this time.
const ACTIVITY_STEP: SignedDuration = SignedDuration::from_secs(1);

/// The most sessions of a person that are listed.
const MAX_LISTED: usize = 100;

/// How often a change of a session is tried again when it changed meanwhile.
const ATTEMPTS: usize = 16;

/// Who makes a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// A person: the session goes on.
    Person,
    /// A page by itself: the session goes on as if it had not been.
    Timer,
}

/// A session as it is stored.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct StoredSession {
    id: String,
    created_at: Timestamp,
    ends_at: Timestamp,
    active_at: Timestamp,
    /// Of the person when it began: one of a lower epoch is dead.
    pub(crate) epoch: u64,
    /// When the second factor (or, without one, the password) was last given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) confirmed_at: Option<Timestamp>,
    /// Good for nothing but to set up a second factor.
    #[serde(default)]
    pub(crate) is_limited: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    address: Option<IpAddr>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    agent: Option<String>,
}

impl StoredSession {
    pub(super) fn new(
        app: &App,
        now: Timestamp,
        epoch: u64,
        confirmed_at: Option<Timestamp>,
        is_limited: bool,
        address: Option<IpAddr>,
        agent: Option<String>,
    ) -> Self {
        Self {
            id: session_id(app, now),
            created_at: now,
            ends_at: later(now, LIFETIME),
            active_at: now,
            epoch,
            confirmed_at,
            is_limited,
            address,
            agent,
        }
    }

    pub(super) fn put(&self, user: &str, hash: &str, when: When) -> Result<Op, StoreError> {
        Ok(Op::Put(Put {
            expires_at: Some(self.ends_at),
            ..Put::new(keyspace::session(user, hash), to_doc(self)?, when)
        }))
    }

    pub(super) fn current(&self, key_hash: &str, version: u64, idle: SignedDuration) -> Current {
        Current {
            id: self.id.clone(),
            key_hash: key_hash.to_owned(),
            created_at: self.created_at,
            ends_at: self.ends_at,
            idle_until: later(self.active_at, idle),
            confirmed_at: self.confirmed_at,
            is_limited: self.is_limited,
            version,
            idle,
            stored: self.clone(),
        }
    }

    fn is_alive(&self, user: &User, idle: SignedDuration, now: Timestamp) -> bool {
        user.is_active()
            && self.epoch == user.session_epoch
            && now < self.ends_at
            && now < later(self.active_at, idle)
    }
}

/// The session that a request is made in. `Debug` shows its id.
#[derive(Clone)]
pub struct Current {
    /// `ses_…`
    pub id: String,
    /// The hash of its secret: what names it in the store.
    pub key_hash: String,
    /// When it began.
    pub created_at: Timestamp,
    /// When it is over whatever happens.
    pub ends_at: Timestamp,
    /// When it is over unless its person asks for something.
    pub idle_until: Timestamp,
    /// When the second factor (or, without one, the password) was last given.
    pub confirmed_at: Option<Timestamp>,
    /// Good for nothing but to set up a second factor.
    pub is_limited: bool,
    pub(crate) version: u64,
    idle: SignedDuration,
    pub(crate) stored: StoredSession,
}

impl std::fmt::Debug for Current {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Current").field(&self.id).finish()
    }
}

impl Current {
    /// The seconds that are left at `now` unless its person asks for something.
    pub fn seconds_left(&self, now: Timestamp) -> i64 {
        self.idle_until
            .min(self.ends_at)
            .duration_since(now)
            .as_secs()
            .max(0)
    }

    /// Whether the second factor was given lately enough for a change of what one logs in with.
    pub fn is_confirmed(&self, now: Timestamp) -> bool {
        self.confirmed_at
            .is_some_and(|at| now < later(at, CONFIRMED_FOR))
    }

    /// [`SessionError::ConfirmationRequired`] unless [`Current::is_confirmed`].
    pub fn require_confirmed(&self, now: Timestamp) -> Result<(), SessionError> {
        if self.is_confirmed(now) {
            Ok(())
        } else {
            Err(SessionError::ConfirmationRequired)
        }
    }
}

/// A session as its person sees it in a list.
#[derive(Clone, Debug)]
pub struct ListedSession {
    /// `ses_…`
    pub id: String,
    /// When it began.
    pub created_at: Timestamp,
    /// When its person last asked for something.
    pub active_at: Timestamp,
    /// From where it began.
    pub address: Option<IpAddr>,
    /// What the browser said that it is.
    pub agent: Option<String>,
    /// Whether it is the one that asks.
    pub is_current: bool,
}

fn not_written(error: &StoreError) {
    // It ends sooner then: nothing is let in by that.
    tracing::warn!(%error, "a session's activity could not be written");
}

impl App {
    /// Who is behind the session's cookie: one read of the table. A request of a person's keeps the
    /// session going, which is written at most once a second.
    pub async fn authenticate_session(
        &self,
        cookie: &str,
        activity: Activity,
    ) -> Result<(Versioned<User>, Current), SessionError> {
        let ticket = Ticket::parse(cookie).ok_or(SessionError::Over)?;
        let hash = ticket.token.hash();
        let keys = [
            keyspace::user(&ticket.user),
            keyspace::session(&ticket.user, &hash),
        ];
        let rows = self.table.get_many(&keys).await?;
        let [Some(user), Some(row)] = rows.as_slice() else {
            return Err(SessionError::Over);
        };
        let user = User::from_row(user)?;
        let stored: StoredSession = parse_doc(&row.doc)?;
        let policy = self.login_policy(&user.value.home).await?;
        let idle = policy.idle;
        if !stored.is_alive(&user.value, idle, self.clock.now()) {
            return Err(SessionError::Over);
        }
        let mut session = stored.current(&hash, row.version, idle);
        if activity == Activity::Person {
            self.keep_going(&ticket.user, &mut session).await;
        }
        // From the moment the agency requires it, also in sessions that were open before.
        session.is_limited |= policy.requires_second_factor && !user.value.two_factor.is_on();
        Ok((user, session))
    }

    /// Writes down that a person is there. Where the process goes on after the answer
    /// ([`App::goes_on`]), nobody waits for that to be durable: if it is lost, with the process, the
    /// session ends sooner, and nothing is let in by that.
    pub async fn keep_going(&self, user: &str, session: &mut Current) {
        let now = self.clock.now();
        if now.duration_since(session.stored.active_at) < ACTIVITY_STEP {
            return;
        }
        let mut stored = session.stored.clone();
        stored.active_at = now;
        let op = match stored.put(user, &session.key_hash, When::Version(session.version)) {
            Ok(op) => op,
            Err(error) => return not_written(&error),
        };
        let unit = Unit {
            ops: vec![op],
            sends: Vec::new(),
        };
        if self.goes_on {
            let table = self.table.clone();
            tokio::spawn(async move {
                match table.commit(unit).await {
                    // As below.
                    Ok(()) | Err(StoreError::Condition { .. }) => {}
                    Err(error) => not_written(&error),
                }
            });
            // Whoever changes the session next in this request finds out by itself which version it has.
            *session = stored.current(&session.key_hash, session.version, session.idle);
            return;
        }
        match self.table.commit(unit).await {
            Ok(()) => {
                *session = stored.current(&session.key_hash, session.version + 1, session.idle);
            }
            // Another request of the same second was faster, or it has just ended.
            Err(StoreError::Condition { .. }) => {}
            Err(error) => not_written(&error),
        }
    }

    /// What a page or program must send with a request that changes something: follows from the
    /// session's secret, so that it stands nowhere.
    pub async fn csrf_token(&self, key_hash: &str) -> Result<String, SessionError> {
        let key = self.derived_key("csrf").await?;
        Ok(id::hex(&mac_of(&key, &[key_hash])))
    }

    /// Whether `given` is that token.
    pub async fn is_csrf_token(&self, key_hash: &str, given: &str) -> Result<bool, SessionError> {
        let expected = self.csrf_token(key_hash).await?;
        Ok(expected.as_bytes().ct_eq(given.as_bytes()).into())
    }

    /// Ends a session.
    pub async fn log_out(&self, user: &str, session: &Current) -> Result<(), StoreError> {
        self.table
            .commit(Unit {
                ops: vec![Op::Delete(
                    keyspace::session(user, &session.key_hash),
                    When::Always,
                )],
                sends: Vec::new(),
            })
            .await
    }

    async fn stored_sessions(
        &self,
        user: &User,
    ) -> Result<Vec<(String, StoredSession)>, StoreError> {
        let idle = self.login_policy(&user.home).await?.idle;
        let now = self.clock.now();
        let page = self
            .table
            .query(Query {
                from: Some(keyspace::SESSIONS_PREFIX.to_owned()),
                to: Some(keyspace::SESSIONS_END.to_owned()),
                limit: MAX_LISTED,
                ..Query::partition(keyspace::user_partition(&user.id))
            })
            .await?;
        let mut found = Vec::new();
        for row in page.rows {
            let stored: StoredSession = parse_doc(&row.doc)?;
            if stored.is_alive(user, idle, now) {
                let hash = row.key.sk.strip_prefix(keyspace::SESSIONS_PREFIX);
                found.push((hash.unwrap_or_default().to_owned(), stored));
            }
        }
        found.sort_by(|a, b| b.1.id.cmp(&a.1.id));
        Ok(found)
    }

    /// The open sessions of a person, newest first.
    pub async fn sessions_of(
        &self,
        user: &User,
        current: &Current,
    ) -> Result<Vec<ListedSession>, StoreError> {
        let sessions = self.stored_sessions(user).await?;
        Ok(sessions
            .into_iter()
            .map(|(_, stored)| ListedSession {
                is_current: stored.id == current.id,
                id: stored.id,
                created_at: stored.created_at,
                active_at: stored.active_at,
                address: stored.address,
                agent: stored.agent,
            })
            .collect())
    }

    /// Ends a session of a person by its public id. `false`: there is no such open one.
    pub async fn end_session(&self, user: &User, session: &str) -> Result<bool, StoreError> {
        let sessions = self.stored_sessions(user).await?;
        let Some((hash, _)) = sessions.iter().find(|(_, stored)| stored.id == session) else {
            return Ok(false);
        };
        self.table
            .commit(Unit {
                ops: vec![Op::Delete(keyspace::session(&user.id, hash), When::Always)],
                sends: Vec::new(),
            })
            .await?;
        Ok(true)
    }

    /// Gives the second factor again, within a session, before a change of what one logs in with.
    pub async fn confirm(
        &self,
        user: &Versioned<User>,
        session: &Current,
        method: Method,
        code: &str,
    ) -> Result<(), SessionError> {
        let id = user.value.id.as_str();
        let charge = self
            .count_attempt(format!("code/{id}/{}", session.id), None)
            .await?;
        let credentials = self.credentials(id).await?;
        let proof = self
            .prove(&user.value, &credentials, &session.id, method, code)
            .await?;
        let Some(Proof {
            mut ops,
            recovery_left,
        }) = proof
        else {
            self.was_wrong(charge).await?;
            return Err(SessionError::WrongCode);
        };
        if let Some(left) = recovery_left {
            let mut after = user.value.clone();
            after.two_factor.recovery_left = left;
            ops.push(Op::Put(after.put(When::Version(user.version))?));
        }
        match self.mark_confirmed(id, session, ops).await {
            Ok(()) => {
                self.was_right(charge).await;
                Ok(())
            }
            Err(SessionError::WrongCode) => {
                self.was_wrong(charge).await?;
                Err(SessionError::WrongCode)
            }
            Err(error) => Err(error),
        }
    }

    /// The same by the password, for who has no second factor.
    pub async fn confirm_password(
        &self,
        user: &Versioned<User>,
        session: &Current,
        password: Password,
    ) -> Result<(), SessionError> {
        if user.value.two_factor.is_on() {
            return Err(SessionError::Conflict(
                "You have a second factor: confirm with a code of it.",
            ));
        }
        let id = user.value.id.as_str();
        let credentials = self.credentials(id).await?;
        self.check_password(id, session, &credentials, password)
            .await?;
        self.mark_confirmed(id, session, Vec::new()).await
    }

    /// Whether `password` is the person's, within a session.
    pub(crate) async fn check_password(
        &self,
        user: &str,
        session: &Current,
        credentials: &Kept,
        password: Password,
    ) -> Result<(), SessionError> {
        let charge = self
            .count_attempt(format!("code/{user}/{}", session.id), None)
            .await?;
        let stored = credentials.value.password.as_ref();
        if self.is_password(user, stored, password).await? {
            self.was_right(charge).await;
            Ok(())
        } else {
            self.was_wrong(charge).await?;
            Err(SessionError::Wrong)
        }
    }

    /// Writes into the session that it was confirmed now, with `ops`, whose broken condition means that
    /// the code was used.
    async fn mark_confirmed(
        &self,
        user: &str,
        session: &Current,
        ops: Vec<Op>,
    ) -> Result<(), SessionError> {
        let own = ops.len();
        let mut stored = session.stored.clone();
        let mut version = session.version;
        for _ in 0..ATTEMPTS {
            stored.confirmed_at = Some(self.clock.now());
            let mut ops = ops.clone();
            ops.push(stored.put(user, &session.key_hash, When::Version(version))?);
            let unit = Unit {
                ops,
                sends: Vec::new(),
            };
            match self.table.commit(unit).await {
                Ok(()) => return Ok(()),
                Err(StoreError::Condition { op }) if op < own => {
                    return Err(SessionError::WrongCode);
                }
                Err(StoreError::Condition { .. }) => {
                    let key = keyspace::session(user, &session.key_hash);
                    let row = self.table.get(&key).await?.ok_or(SessionError::Over)?;
                    stored = parse_doc(&row.doc)?;
                    version = row.version;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Busy.into())
    }

    /// Sends a code by SMS to confirm a session with.
    pub async fn send_code_for_session(
        &self,
        user: &User,
        session: &Current,
    ) -> Result<(), SessionError> {
        let credentials = self.credentials(&user.id).await?;
        self.send_sms_code(user, &credentials, &session.id).await
    }
}
