//! Recordings whose audio is in the store before anybody tells of them: an event
//! `recording.available` whose `recording.url` is `blob:imports/{account}/…`.
//!
//! The event is accepted and stored like any other, and is not sent to callbacks: Ringfence looks at
//! the object first, and then announces the recording itself, with a link instead of a key.

use ringfence_ports::{Message, StoreError};
use serde::{Deserialize, Serialize};

use super::{Facts, Recording, RecordingError, sealed::customer_key};
use crate::{
    App,
    access::to_doc,
    event::{ErrorCode, Event, EventError, EventType, Subject},
    keyspace,
    settings::AccountConfig,
};

const SCHEME: &str = "blob:";

/// The longest key that an event may name, in bytes.
const MAX_KEY_BYTES: usize = 1_000;

/// What the queue carries: an event that names an object.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Import {
    pub(super) account: String,
    pub(super) call: String,
    pub(super) event: String,
}

/// The object that an event names; `None`: it names none of ours.
///
/// # Errors
/// It names one that is not the account's to name.
pub(crate) fn object_of(event: &Event) -> Result<Option<&str>, EventError> {
    if event.event_type != EventType::RecordingAvailable {
        return Ok(None);
    }
    let url = event
        .data
        .recording
        .as_ref()
        .and_then(|recording| recording.url.as_deref());
    let Some(key) = url.and_then(|url| url.strip_prefix(SCHEME)) else {
        return Ok(None);
    };
    let own = format!("imports/{}/", event.account_id);
    let fits = key.len() <= MAX_KEY_BYTES
        && key.strip_prefix(&own).is_some_and(|rest| {
            !rest.is_empty()
                && rest.split('/').all(|part| !matches!(part, "" | "." | ".."))
                && !rest.chars().any(char::is_control)
        });
    if fits {
        Ok(Some(key))
    } else {
        Err(EventError::at(
            "data.recording.url",
            ErrorCode::InvalidValue,
            "a key must lie under imports/{account}/ of the event's own account",
        ))
    }
}

/// The message that has the object looked at.
pub(crate) fn message(event: &Event) -> Result<Message, StoreError> {
    let import = Import {
        account: event.account_id.clone(),
        call: event.subject().id().to_owned(),
        event: event.id.clone(),
    };
    Ok(Message {
        queue: keyspace::RECORDINGS,
        group: event.account_id.clone(),
        body: to_doc(&import)?,
        delay: std::time::Duration::ZERO,
    })
}

impl App {
    /// Makes a recording of the object that an accepted event names.
    pub(super) async fn import_recording(
        &self,
        config: &AccountConfig,
        import: &Import,
    ) -> Result<Option<Recording>, RecordingError> {
        let about = Subject::Call(&import.call).into();
        let stored = self
            .stored_event(&config.account.id, &about, &import.event)
            .await?;
        // Erased meanwhile, or no event of ours.
        let Some(event) = stored.and_then(|stored| Event::from_json(&stored).ok()) else {
            return Ok(None);
        };
        let Ok(Some(key)) = object_of(&event) else {
            return Ok(None);
        };
        let told = event.data.recording.clone().unwrap_or_default();
        let facts = Facts {
            call_id: import.call.clone(),
            started_at: event.data.started_at.unwrap_or(event.timestamp),
            duration: told.duration.unwrap_or_default(),
            external_id: told.id,
            agent_id: event.data.agent_id.clone(),
            from: event.data.from.clone(),
            to: event.data.to.clone(),
            tags: event.data.tags.clone().unwrap_or_default(),
            ..Facts::default()
        };
        let account = config.account.id.as_str();
        let rules = self
            .recording_rules(account)
            .await?
            .ok_or(RecordingError::NotFound)?;
        customer_key(&rules)?;
        let recording =
            self.recording_of(account, facts, Some(key.to_owned()), rules.encryption)?;
        let (recording, _) = self.add_recording(recording).await?;
        Ok(Some(self.complete_recording(config, &recording.id).await?))
    }
}
