//! Accepting events: each is stored once, beside all others of its call or task, and queued for the
//! callback that wants it, in the same write.

use std::{collections::HashMap, time::Duration};

use jiff::Timestamp;
use ringfence_ports::{MAX_GETS, Message, Op, Put, StoreError, Unit, When};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    App,
    access::{parse_doc, to_doc},
    callback::{self, message::DispatchMessage},
    event::{ErrorCode, Event, EventError},
    keyspace,
    recording::import,
    settings::{AccountConfig, EndpointKind},
};

/// How long the repeated order of an event waits: longer than an attempt may take.
const REPEAT_DELAY: Duration = Duration::from_mins(1);

/// An accepted event as it is stored.
#[derive(Debug, Serialize, Deserialize)]
pub struct StoredEvent<'a> {
    /// When it was accepted (its first copy).
    pub accepted_at: Timestamp,
    /// The delivery that was queued for it; `None`: no callback wanted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<String>,
    /// The event itself, byte for byte as it is delivered unmasked.
    #[serde(borrow)]
    pub event: &'a RawValue,
}

/// What became of one event.
#[derive(Debug, PartialEq, Eq)]
pub enum Accepted {
    /// Stored, durably. `delivery` was queued with it.
    New {
        /// The event's id.
        id: String,
        /// The delivery, if a callback wants the event.
        delivery: Option<String>,
    },
    /// The same event was accepted before; nothing new happens.
    Duplicate {
        /// The event's id.
        id: String,
    },
    /// Refused; the others of the batch are not concerned.
    Refused(EventError),
}

impl App {
    /// Accepts a batch. The answer has an entry per event, in order. `Err`: the store could not take
    /// some of them; sending the whole batch again is right and repeats nothing.
    pub async fn accept(
        &self,
        config: &AccountConfig,
        events: Vec<Result<Event, EventError>>,
    ) -> Result<Vec<Accepted>, StoreError> {
        let now = self.clock.now();
        let mut outcomes = Vec::with_capacity(events.len());
        let mut units = Vec::with_capacity(events.len());
        // What each unit is for: the position in `outcomes`, and the document to compare a repeat with.
        let mut pending: Vec<(usize, ringfence_ports::Key, String)> =
            Vec::with_capacity(events.len());
        // Where an event of the same batch stands in `pending`.
        let mut seen: HashMap<ringfence_ports::Key, usize> = HashMap::new();
        let several = events.len() > 1;
        for event in events {
            let event = match event {
                Ok(event) => event,
                Err(error) => {
                    outcomes.push(Accepted::Refused(error));
                    continue;
                }
            };
            let names_object = match import::object_of(&event) {
                Ok(object) => object.is_some(),
                Err(error) => {
                    outcomes.push(Accepted::Refused(error));
                    continue;
                }
            };
            let document = to_doc(&event)?;
            let key = keyspace::event(&config.account.id, event.subject(), &event.id);
            if several {
                let first = seen.get(&key).and_then(|at: &usize| pending.get(*at));
                if let Some((_, _, first)) = first {
                    let same = is_repeat(first, &document)?;
                    outcomes.push(repeat(event.id, same));
                    continue;
                }
                seen.insert(key.clone(), pending.len());
            }
            // Ringfence announces the recording itself, once it has looked at the object.
            let delivery = if names_object {
                None
            } else {
                delivery_for(config, &event, now)
            };
            let mut unit = unit_of(
                config,
                &event,
                &document,
                key.clone(),
                delivery.as_deref(),
                now,
            )?;
            if names_object {
                unit.sends.push(import::message(&event)?);
            }
            pending.push((outcomes.len(), key, document));
            outcomes.push(Accepted::New {
                id: event.id,
                delivery,
            });
            units.push(unit);
        }
        let results = self.table.write(units).await;
        let mut known = Vec::new();
        for (pending, result) in pending.into_iter().zip(results) {
            match result {
                Ok(()) => {}
                Err(StoreError::Condition { .. }) => known.push(pending),
                // Its document or message is over the store's limit: that event will never fit.
                Err(StoreError::TooLarge { limit }) => {
                    outcomes[pending.0] = Accepted::Refused(EventError::new(
                        ErrorCode::TooLarge,
                        format!("the event is larger than {limit} bytes"),
                    ));
                }
                Err(error) => return Err(error),
            }
        }
        let mut orders = Vec::new();
        for known in known.chunks(MAX_GETS) {
            let keys: Vec<_> = known.iter().map(|(_, key, _)| key.clone()).collect();
            let rows = self.table.get_many(&keys).await?;
            for ((at, _, document), row) in known.iter().zip(rows) {
                let row = row.ok_or(StoreError::Busy)?;
                let stored = callback::log::stored_event(&row)?;
                let same = is_repeat(stored.event.get(), document)?;
                if same && !self.table.sends_with_rows() {
                    orders.extend(self.lost_order(config, &stored).await?);
                }
                if let Accepted::New { id, .. } = &mut outcomes[*at] {
                    outcomes[*at] = repeat(std::mem::take(id), same);
                }
            }
        }
        if !orders.is_empty() {
            self.queue.send(orders).await?;
        }
        Ok(outcomes)
    }

    /// The order to deliver a stored event, where nothing shows that it was ever queued: the process
    /// that stored it may have died before it could. It comes late enough for the first order, if there
    /// is one, to have been worked on, and looks before it acts.
    async fn lost_order(
        &self,
        config: &AccountConfig,
        stored: &StoredEvent<'_>,
    ) -> Result<Option<Message>, StoreError> {
        let Some(delivery) = &stored.delivery else {
            return Ok(None);
        };
        let key = keyspace::delivery(&config.account.id, delivery)
            .ok_or(StoreError::Invalid("a delivery id that is none"))?;
        if self.table.get(&key).await?.is_some() {
            return Ok(None);
        }
        let event: Event = parse_doc(stored.event.get())?;
        let order = DispatchMessage {
            repeat: true,
            ..DispatchMessage::first(
                delivery,
                &config.account.id,
                event.event_type.kind().into(),
                event.event_type.as_str(),
                event.subject(),
                &event.id,
                stored.event,
            )
        };
        order.into_message(REPEAT_DELAY).map(Some)
    }
}

/// The id of the delivery that `event` gets, if a callback wants it. Determined by what the event is and
/// when it was accepted, so that a repeated write queues the same delivery again.
fn delivery_for(config: &AccountConfig, event: &Event, now: Timestamp) -> Option<String> {
    let kind = EndpointKind::from(event.event_type.kind());
    let endpoint = config.endpoint(kind)?;
    endpoint
        .wants(event.event_type)
        .then(|| callback::delivery_id(&config.account.id, kind, event.subject(), &event.id, now))
}

fn unit_of(
    config: &AccountConfig,
    event: &Event,
    document: &str,
    key: ringfence_ports::Key,
    delivery: Option<&str>,
    now: Timestamp,
) -> Result<Unit, StoreError> {
    let raw: &RawValue = serde_json::from_str(document)
        .map_err(|_| StoreError::Invalid("an event does not serialize"))?;
    let stored = StoredEvent {
        accepted_at: now,
        delivery: delivery.map(str::to_owned),
        event: raw,
    };
    let sends = match delivery {
        None => Vec::new(),
        Some(delivery) => vec![
            DispatchMessage::first(
                delivery,
                &config.account.id,
                event.event_type.kind().into(),
                event.event_type.as_str(),
                event.subject(),
                &event.id,
                raw,
            )
            .into_message(Duration::ZERO)?,
        ],
    };
    Ok(Unit {
        ops: vec![Op::Put(Put::new(key, to_doc(&stored)?, When::Absent))],
        sends,
    })
}

/// Whether a document under a known id tells the same event again. The time stamp does not count: where
/// a source sends none it is the time of receipt, and some sources stamp each try.
fn is_repeat(first: &str, again: &str) -> Result<bool, StoreError> {
    if first == again {
        return Ok(true);
    }
    let first: Event = parse_doc(first)?;
    let again: Event = parse_doc(again)?;
    Ok(Event {
        timestamp: first.timestamp,
        ..again
    } == first)
}

fn repeat(id: String, same: bool) -> Accepted {
    if same {
        Accepted::Duplicate { id }
    } else {
        Accepted::Refused(EventError::at(
            "id",
            ErrorCode::IdReused,
            "another event of this call was accepted under this id before; a correction needs an id of its own",
        ))
    }
}
