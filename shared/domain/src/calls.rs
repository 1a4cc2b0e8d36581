//! Reading calls: the record that all events of a call give together.

use std::collections::BTreeSet;

use ringfence_ports::{MAX_KEY_BYTES, Query, Row, StoreError};

use crate::{
    App,
    access::{DataReach, VisibleCall},
    callback::log::stored_event,
    event::{Call, Event, Recording as CallRecording, Subject, call},
    keyspace,
    recording::Recording,
    settings::AccountConfig,
};

/// The most events of one call that are looked at together: far more than any call has. Acceptance does not
/// count them (that would cost each event a read), so that whoever asks must not pay for what was sent.
pub const MAX_EVENTS_OF_CALL: usize = 10_000;

/// The most bytes of them.
pub const MAX_BYTES_OF_CALL: usize = 16 * 1024 * 1024;

/// How many of a call's recordings are looked at to tell what became of the one that its record names: the
/// latest.
const MAX_RECORDINGS_LOOKED_AT: usize = 100;

/// Why a call's events are not looked at.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// There are more than [`MAX_EVENTS_OF_CALL`] or [`MAX_BYTES_OF_CALL`].
    #[error("the call has too many events")]
    TooMany,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// All that is known of a call, with everybody of the account who took part.
pub(crate) struct WholeCall {
    /// The record.
    pub(crate) call: Call,
    /// The agents that any of its events names.
    pub(crate) agents: BTreeSet<String>,
    /// The size of its events.
    pub(crate) bytes: usize,
}

impl App {
    /// A call's record as `reach` has it, masked as the console is. `None`: no event of such a call was
    /// accepted, or it is out of reach.
    pub async fn call(
        &self,
        config: &AccountConfig,
        reach: &DataReach,
        call: &str,
    ) -> Result<Option<VisibleCall>, CallError> {
        let Some(mut whole) = self.whole_call(&config.account.id, call).await? else {
            return Ok(None);
        };
        let (recordings, _) = self
            .recordings_of_call(&config.account.id, call, None, MAX_RECORDINGS_LOOKED_AT)
            .await?;
        tell_deleted(&mut whole.call.data.recording, &recordings);
        Ok(reach.visible(whole, config.masking.console)?)
    }

    /// A call's record as it is stored. Nothing of it goes out but through a [`DataReach`].
    pub(crate) async fn whole_call(
        &self,
        account: &str,
        call: &str,
    ) -> Result<Option<WholeCall>, CallError> {
        let mut fold = call::Fold::default();
        let mut agents = BTreeSet::new();
        let bytes = self
            .events_of_call(account, call, |row| {
                let event = Event::from_json(stored_event(row)?.event.get()).map_err(|_| {
                    StoreError::Unavailable("a stored event does not parse".to_owned())
                })?;
                agents.extend(event.data.agent_id.clone());
                fold.push(event);
                Ok(())
            })
            .await?;
        Ok(fold.finish().map(|call| WholeCall {
            call,
            agents,
            bytes,
        }))
    }

    /// Goes through the rows of a call's events, in the order of their ids, a page at a time. Answers how
    /// many bytes they have.
    pub(crate) async fn events_of_call(
        &self,
        account: &str,
        call: &str,
        mut each: impl FnMut(&Row) -> Result<(), StoreError>,
    ) -> Result<usize, CallError> {
        let partition = keyspace::subject_partition(account, Subject::Call(call));
        if partition.len() > MAX_KEY_BYTES {
            // No event can have such an id.
            return Ok(0);
        }
        let mut query = Query {
            from: Some("evt/".to_owned()),
            to: Some("evt0".to_owned()),
            limit: 1000,
            ..Query::partition(partition)
        };
        let (mut events, mut bytes) = (0, 0);
        loop {
            let page = self.table.query(query.clone()).await?;
            for row in &page.rows {
                events += 1;
                bytes += row.doc.len();
                if events > MAX_EVENTS_OF_CALL || bytes > MAX_BYTES_OF_CALL {
                    return Err(CallError::TooMany);
                }
                each(row)?;
            }
            let Some(next) = page.next else {
                return Ok(bytes);
            };
            query.after = Some(next);
        }
    }
}

/// A call's record stays when its recording goes, and says that it went and why.
fn tell_deleted(told: &mut Option<CallRecording>, recordings: &[Recording]) {
    let own = |id: &str| {
        recordings
            .iter()
            .find(|found| found.id == id || found.external_id.as_deref() == Some(id))
    };
    let id = told.as_ref().and_then(|told| told.id.as_deref());
    let found = match id {
        Some(id) => own(id),
        None => recordings.iter().max_by_key(|found| &found.id),
    };
    let Some(found) = found.filter(|found| found.deleted_at.is_some()) else {
        return;
    };
    let told = told.get_or_insert_default();
    told.id.get_or_insert_with(|| found.id.clone());
    told.duration.get_or_insert(found.duration);
    told.url = None;
    told.deleted_at = found.deleted_at;
    told.deletion_reason.clone_from(&found.deletion_reason);
}
