//! New wrappings for data keys, after the account's key has been changed. The audio stays as it is.

use base64::{Engine, engine::general_purpose::STANDARD};
use ringfence_ports::{KeysError, Op, StoreError, Unit, When};
use ringfence_sealing::DataKey;
use serde_json::{Value, json};

use super::{ATTEMPTS, Filter, RecordingError, Sealing, sealed::context};
use crate::{
    App,
    history::{Action, Actor, Change},
};

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
        for recording in &page.recordings {
            count += usize::from(self.rewrap(account, &recording.id).await?);
        }
        if count > 0 {
            let change = Change {
                item: "recordings/keys".to_owned(),
                action: Action::Update,
                before: Value::Null,
                after: json!({ "rewrapped": count }),
            };
            self.commit_change(account, actor, change, Unit::default())
                .await?;
        }
        Ok(Rewrapped {
            count,
            next: page.next,
        })
    }

    async fn rewrap(&self, account: &str, recording: &str) -> Result<bool, RecordingError> {
        for _ in 0..ATTEMPTS {
            let stored = self.recording(account, recording).await?;
            let mut after = stored.recording;
            let context = context(&after);
            let Some(sealing) = after.sealing.take() else {
                return Ok(false);
            };
            if sealing.customer_key.is_some() {
                return Ok(false);
            }
            let wrapped = STANDARD
                .decode(&sealing.wrapped_key)
                .map_err(|_| KeysError::Refused)?;
            let key = DataKey::unwrap(&*self.keys, &context, &wrapped).await?;
            let wrapped = key.wrap(&*self.keys, &context).await?;
            after.sealing = Some(Sealing {
                wrapped_key: STANDARD.encode(wrapped),
                ..sealing
            });
            let unit = Unit {
                ops: vec![Op::Put(after.put(When::Version(stored.version))?)],
                sends: Vec::new(),
            };
            match self.table.commit(unit).await {
                Ok(()) => return Ok(true),
                // Somebody changed it meanwhile, or deleted it.
                Err(StoreError::Condition { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Busy.into())
    }
}
