//! Sending what is ordered.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use ringfence_ports::{
    Consumer, Email, Mail, Mailbox, Op, Received, Row, SendError, Sms, StoreError, TextMessage,
    Unit, When,
};

use super::{
    Notice, NotifyError, later,
    letter::Letter,
    row::{Order, State, Stored, To},
    words::{Reader, World},
};
use crate::{
    App,
    access::{Owner, parse_doc},
    keyspace,
    people::{User, UserStatus},
};

/// The waits after a failed attempt, each ±20 %; after the last one it is given up, if it was not before.
const WAITS: [SignedDuration; 9] = [
    SignedDuration::from_secs(10),
    SignedDuration::from_mins(1),
    SignedDuration::from_mins(5),
    SignedDuration::from_mins(15),
    SignedDuration::from_hours(1),
    SignedDuration::from_hours(3),
    SignedDuration::from_hours(6),
    SignedDuration::from_hours(12),
    SignedDuration::from_hours(24),
];

/// For how long a claim holds: longer than a mail server may take.
const CLAIM: SignedDuration = SignedDuration::from_mins(2);

/// How early a message may come, by clocks that differ.
const EARLY: SignedDuration = SignedDuration::from_secs(2);

/// How often the mark that a notice was sent is tried to be made, before it stays a claim.
const MARKS: usize = 3;

/// What goes on every message.
#[derive(Clone, Debug)]
pub struct NotifierOptions {
    /// Who mails are from.
    pub from: Mailbox,
    /// Where answers to them go, if not there.
    pub reply_to: Option<String>,
    /// The origin under which the world reaches this installation, for links:
    /// `https://calls.example.com`. Never taken from a request: whoever sends one could have links to
    /// elsewhere sent to others.
    pub origin: String,
}

/// The consumer of the queue `notify`.
pub struct Notifier {
    app: Arc<App>,
    mail: Arc<dyn Mail>,
    sms: Arc<dyn Sms>,
    options: NotifierOptions,
}

/// What came of an attempt.
enum Outcome {
    Sent,
    Later(String),
    /// Not to be.
    Never(String),
    /// Nobody is there to miss it.
    Moot(&'static str),
}

impl Notifier {
    /// One that sends by these.
    pub fn new(
        app: Arc<App>,
        mail: Arc<dyn Mail>,
        sms: Arc<dyn Sms>,
        options: NotifierOptions,
    ) -> Self {
        Self {
            app,
            mail,
            sms,
            options,
        }
    }

    async fn work(&self, message: &Received) -> Result<(), NotifyError> {
        let order: Order = parse_doc(&message.body)?;
        let Some(row) = self.app.table.get(&keyspace::notice(&order.notice)).await? else {
            // Sent so long ago that the row is gone.
            return Ok(());
        };
        let stored = Stored::from_row(&row)?;
        let now = self.app.clock.now();
        match stored.state {
            State::Sent | State::Unsent => return Ok(()),
            State::Sending if stored.next_at > now => return Err(NotifyError::UnderWay),
            // A copy; the one that comes at its time does it.
            State::Queued if stored.next_at > later(now, EARLY) => return Ok(()),
            State::Queued | State::Sending => {}
        }
        match stored.to.clone() {
            To::Users(users) => self.fan_out(&row, stored, users).await,
            To::Administrators(owner) => {
                let users = self.administrators(&owner).await?;
                self.fan_out(&row, stored, users).await
            }
            To::User(_) | To::Number => self.attempt(&row, stored).await,
        }
    }

    async fn administrators(&self, owner: &Owner) -> Result<Vec<String>, NotifyError> {
        if let Owner::Account(id) = owner
            && let Some(account) = self.app.find_account(id).await?
        {
            return Ok(self.app.told_of(id, &account.value.agency).await?);
        }
        Ok(self.app.administrators_of(owner).await?)
    }

    /// Makes of a notice to several one for each. A second time finds them there already.
    async fn fan_out(
        &self,
        row: &Row,
        mut stored: Stored,
        users: Vec<String>,
    ) -> Result<(), NotifyError> {
        let now = self.app.clock.now();
        let with_rows = self.app.table.sends_with_rows();
        if users.is_empty() {
            tracing::warn!(
                notice = stored.id,
                kind = stored.kind,
                "a notice has nobody to go to"
            );
        }
        let units = users
            .iter()
            .map(|user| stored.for_user(user).order(with_rows, now))
            .collect::<Result<Vec<_>, _>>()?;
        for chunk in units.chunks(500) {
            for result in self.app.table.write(chunk.to_vec()).await {
                match result {
                    Ok(()) | Err(StoreError::Condition { .. }) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        stored.end(State::Sent, now);
        self.write(&stored, row.version, now).await
    }

    /// Claims, sends, and marks what came of it.
    async fn attempt(&self, row: &Row, mut stored: Stored) -> Result<(), NotifyError> {
        let now = self.app.clock.now();
        let wait = WAITS.get(stored.attempts as usize).copied();
        stored.state = State::Sending;
        stored.attempts += 1;
        stored.next_at = later(now, CLAIM);
        match self.write(&stored, row.version, now).await {
            Err(NotifyError::Store(StoreError::Condition { .. })) => {
                return Err(NotifyError::UnderWay);
            }
            other => other?,
        }
        let version = row.version + 1;
        let (outcome, home) = if stored.until <= now {
            let reason = "it came too late to be of use";
            (Outcome::Never(reason.to_owned()), self.home(&stored).await)
        } else {
            self.send(&stored).await?
        };
        let now = self.app.clock.now();
        match outcome {
            Outcome::Sent => {
                stored.reason = None;
                stored.end(State::Sent, now);
            }
            Outcome::Later(reason) => {
                stored.reason = Some(reason);
                let next = wait.map(|wait| later(now, self.jittered(wait)));
                if let Some(at) = next.filter(|at| *at < stored.until) {
                    stored.state = State::Queued;
                    stored.next_at = at;
                    tracing::warn!(
                        notice = stored.id,
                        kind = stored.kind,
                        attempts = stored.attempts,
                        reason = stored.reason,
                        next_at = %at,
                        "a notice could not be sent; it is tried again"
                    );
                } else {
                    stored.home = home;
                    stored.end(State::Unsent, now);
                }
            }
            Outcome::Never(reason) => {
                stored.reason = Some(reason);
                stored.home = home;
                stored.end(State::Unsent, now);
            }
            Outcome::Moot(reason) => {
                stored.reason = Some(reason.to_owned());
                stored.end(State::Unsent, now);
            }
        }
        if stored.state == State::Unsent && stored.home.is_some() {
            tracing::warn!(
                notice = stored.id,
                kind = stored.kind,
                attempts = stored.attempts,
                reason = stored.reason,
                "a notice was given up"
            );
        }
        self.mark(&stored, version, now).await
    }

    /// Writes what came of an attempt; what cannot be written stays a claim, and is sent again when that
    /// has run out.
    async fn mark(&self, stored: &Stored, version: u64, now: Timestamp) -> Result<(), NotifyError> {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.write(stored, version, now).await {
                // A condition: ours, of which the answer was lost; or the claim was taken over.
                Ok(()) | Err(NotifyError::Store(StoreError::Condition { .. })) => return Ok(()),
                Err(error) if tries >= MARKS => return Err(error),
                Err(_) => {}
            }
        }
    }

    async fn write(
        &self,
        stored: &Stored,
        version: u64,
        now: Timestamp,
    ) -> Result<(), NotifyError> {
        let with_rows = self.app.table.sends_with_rows();
        let put = stored.put(When::Version(version), with_rows, now)?;
        let sends = match stored.state {
            State::Queued => stored.message(now)?.into_iter().collect(),
            _ => Vec::new(),
        };
        let unit = Unit {
            ops: vec![Op::Put(put)],
            sends,
        };
        Ok(self.app.table.commit(unit).await?)
    }

    fn jittered(&self, wait: SignedDuration) -> SignedDuration {
        wait.mul_f64(0.8 + 0.4 * self.app.random.unit())
    }

    /// Whose people the recipient is one of.
    async fn home(&self, stored: &Stored) -> Option<Owner> {
        let ((To::User(user), _) | (To::Number, Some(Notice::SmsCode { user, .. }))) =
            (&stored.to, &stored.notice)
        else {
            return None;
        };
        let user = self.app.user(user).await.ok().flatten()?;
        Some(user.value.home.owner())
    }

    async fn send(&self, stored: &Stored) -> Result<(Outcome, Option<Owner>), NotifyError> {
        let Some(notice) = stored.opened(&self.app).await? else {
            return Ok((Outcome::Never("it is empty".to_owned()), None));
        };
        let user = match (&stored.to, &notice) {
            (To::User(user), _) | (_, Notice::SmsCode { user, .. }) => self.app.user(user).await?,
            _ => None,
        };
        let Some(user) = user.map(|user| user.value) else {
            return Ok((Outcome::Moot("its recipient is gone"), None));
        };
        let home = Some(user.home.owner());
        if !may_get(&user, &notice) {
            return Ok((Outcome::Moot("it no longer concerns its recipient"), None));
        }
        let sent = if let Notice::SmsCode { number, code, .. } = &notice {
            let message = TextMessage {
                id: stored.id.clone(),
                to: number.0.clone(),
                text: super::words::code_text(&code.0, &self.options.origin),
            };
            self.sms.send(&message).await
        } else {
            let mail = self.mail_of(stored, &notice, &user).await?;
            self.mail.send(&mail).await
        };
        let outcome = match sent {
            Ok(()) => Outcome::Sent,
            Err(SendError::Later(reason)) => Outcome::Later(reason),
            Err(SendError::Refused(reason)) => Outcome::Never(reason),
        };
        Ok((outcome, home))
    }

    async fn mail_of(
        &self,
        stored: &Stored,
        notice: &Notice,
        user: &User,
    ) -> Result<Email, NotifyError> {
        let world = World {
            app: &self.app,
            origin: &self.options.origin,
        };
        let letter = Letter::of(notice, &Reader::of(user), &world).await?;
        Ok(Email {
            id: stored.id.clone(),
            from: self.options.from.clone(),
            to: user.email.as_str().to_owned(),
            reply_to: self.options.reply_to.clone(),
            text: letter.text(),
            html: letter.html(),
            subject: letter.subject,
        })
    }
}

/// Whether a notice still concerns its recipient.
fn may_get(user: &User, notice: &Notice) -> bool {
    match user.status {
        UserStatus::Active => !matches!(notice, Notice::Invitation { .. }),
        UserStatus::Invited => matches!(notice, Notice::Invitation { .. }),
        UserStatus::Suspended | UserStatus::Removed => false,
    }
}

#[async_trait]
impl Consumer for Notifier {
    async fn handle(&self, batch: Vec<Received>) -> Vec<String> {
        let results = join_all(batch.iter().map(|message| self.work(message))).await;
        let mut failed = Vec::new();
        for (message, result) in batch.into_iter().zip(results) {
            if let Err(error) = result {
                tracing::warn!(message = message.id, receives = message.receives, %error, "a notice could not be worked on");
                failed.push(message.id);
            }
        }
        failed
    }
}
