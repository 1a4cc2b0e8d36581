//! New wrappings for data keys, after the account's key has been changed. The audio stays as it is.

use base64::{Engine, engine::general_purpose::STANDARD};
use ringfence_ports::{KeysError, Op, StoreError, Unit, When};
use ringfence_sealing::DataKey;
use serde_json::{Value, json};

use super::{ATTEMPTS, Filter, Recording, RecordingError, sealed::context};
use crate::{
    App,
    history::{Action, Actor, Change},
};

/// How many are wrapped anew in one commit.
const AT_ONCE: usize = 25;

/// How far a call of [`App::rewrap_recordings`] came.
#[derive(Debug)]
pub struct Rewrapped {
    /// Data keys that were wrapped anew.
    pub count: usize,
    /// The id of the last recording looked at, where to go on; `None`: all were.
    pub next: Option<String>,
}

impl App {
    /// Wraps the data keys of up to `limit` recordings anew, newest recordings first, going on before the
    /// id `before`. Those that only the customer opens are left as they are. Repeating it does no harm.
    ///
    /// What is stored while it goes on is under the new key anyway.
    pub async fn rewrap_recordings(
        &self,
        account: &str,
        limit: usize,
        before: Option<&str>,
        actor: &Actor,
    ) -> Result<Rewrapped, RecordingError> {
        let page = self
            .recordings(account, &Filter::default(), limit, before)
            .await?;
        let mut count = 0;
        for some in page.recordings.chunks(AT_ONCE) {
            count += self.rewrap(account, some, actor).await?;
        }
        Ok(Rewrapped {
            count,
            next: page.next,
        })
    }

    /// Wraps these anew, in one commit with the entry that says so. Answers how many there were to.
    async fn rewrap(
        &self,
        account: &str,
        recordings: &[Recording],
        actor: &Actor,
    ) -> Result<usize, RecordingError> {
        for _ in 0..ATTEMPTS {
            let mut ops = Vec::new();
            for recording in recordings {
                ops.extend(self.rewrapped(account, &recording.id).await?);
            }
            let count = ops.len();
            if count == 0 {
                return Ok(0);
            }
            let change = Change {
                item: "recordings/keys".to_owned(),
                action: Action::Update,
                before: Value::Null,
                after: json!({ "rewrapped": count }),
            };
            let unit = Unit {
                ops,
                sends: Vec::new(),
            };
            match self.commit_change(account, actor, change, unit).await {
                Ok(_) => return Ok(count),
                // Somebody changed one meanwhile, or deleted it.
                Err(StoreError::Condition { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Busy.into())
    }

    /// The write that gives a recording's data keys new wrappings; `None`: it has none of ours.
    async fn rewrapped(
        &self,
        account: &str,
        recording: &str,
    ) -> Result<Option<Op>, RecordingError> {
        let stored = self.recording(account, recording).await?;
        let mut after = stored.recording;
        let context = context(&after);
        let original = after
            .original
            .as_mut()
            .map(|original| &mut original.sealing);
        let mut count = 0;
        for sealing in [Some(&mut after.sealing), original].into_iter().flatten() {
            let Some(sealing) = sealing.as_mut().filter(|s| s.customer_key.is_none()) else {
                continue;
            };
            let wrapped = STANDARD
                .decode(&sealing.wrapped_key)
                .map_err(|_| KeysError::Refused)?;
            let key = DataKey::unwrap(&*self.keys, &context, &wrapped).await?;
            sealing.wrapped_key = STANDARD.encode(key.wrap(&*self.keys, &context).await?);
            count += 1;
        }
        if count == 0 {
            return Ok(None);
        }
        Ok(Some(Op::Put(after.put(When::Version(stored.version))?)))
    }
}
