//! Reading calls: the record that all events of a call give together.

use ringfence_ports::StoreError;

use crate::{
    App,
    callback::log::stored_event,
    event::{Call, Event, Recording as CallRecording, Subject, call},
    recording::Recording,
    settings::AccountConfig,
};

impl App {
    /// A call's record, masked as the console is. `None`: no event of such a call was accepted.
    pub async fn call(
        &self,
        config: &AccountConfig,
        call: &str,
    ) -> Result<Option<Call>, StoreError> {
        let mut events = Vec::new();
        for row in self
            .event_rows(&config.account.id, Subject::Call(call))
            .await?
        {
            let event = Event::from_json(stored_event(&row)?.event.get())
                .map_err(|_| StoreError::Unavailable("a stored event does not parse".to_owned()))?;
            events.push(event);
        }
        let Some(mut folded) = call::fold(&events) else {
            return Ok(None);
        };
        let recordings = self.recordings_of_call(&config.account.id, call).await?;
        tell_deleted(&mut folded.data.recording, &recordings);
        Ok(Some(if config.masking.console {
            folded.masked()
        } else {
            folded
        }))
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
