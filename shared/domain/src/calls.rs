//! Reading calls: the record that all events of a call give together.

use ringfence_ports::StoreError;

use crate::{
    App,
    callback::log::stored_event,
    event::{Call, Event, Subject, call},
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
        Ok(call::fold(&events).map(|call| {
            if config.masking.console {
                call.masked()
            } else {
                call
            }
        }))
    }
}
