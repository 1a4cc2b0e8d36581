//! Reading calls: the record that all events of a call give together.

use ringfence_ports::StoreError;

use crate::{
    App,
    access::{DataReach, VisibleCall},
    callback::log::stored_event,
    event::{Call, Event, Subject, call},
    settings::AccountConfig,
};

/// All that is known of a call, with everybody of the account who took part.
pub(crate) struct WholeCall {
    /// The record.
    pub(crate) call: Call,
    /// The agents that any of its events names.
    pub(crate) agents: Vec<String>,
}

impl App {
    /// A call's record as `reach` has it, masked as the console is. `None`: no event of such a call was
    /// accepted, or it is out of reach.
    pub async fn call(
        &self,
        config: &AccountConfig,
        reach: &DataReach,
        call: &str,
    ) -> Result<Option<VisibleCall>, StoreError> {
        let Some(whole) = self.whole_call(&config.account.id, call).await? else {
            return Ok(None);
        };
        reach.visible(whole, config.masking.console)
    }

    /// A call's record as it is stored. Nothing of it goes out but through a [`DataReach`].
    pub(crate) async fn whole_call(
        &self,
        account: &str,
        call: &str,
    ) -> Result<Option<WholeCall>, StoreError> {
        let mut events = Vec::new();
        for row in self.event_rows(account, Subject::Call(call)).await? {
            let event = Event::from_json(stored_event(&row)?.event.get())
                .map_err(|_| StoreError::Unavailable("a stored event does not parse".to_owned()))?;
            events.push(event);
        }
        let agents = events
            .iter()
            .filter_map(|event| event.data.agent_id.clone())
            .collect();
        Ok(call::fold(&events).map(|call| WholeCall { call, agents }))
    }
}
