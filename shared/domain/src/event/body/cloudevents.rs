//! `CloudEvents` 1.0, JSON event format, structured mode
//! (<https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md>).
//!
//! | attribute | value |
//! | --- | --- |
//! | `specversion` | `1.0` |
//! | `id` | the `webhook-id` of the delivery: the same on every try |
//! | `source` | `/v1/accounts/{account}`, a URI reference |
//! | `type` | `ringfence.` and the event type: `ringfence.cdr.created` |
//! | `subject` | the id of the call, or of the task for `ringfence.predictive_task.completed` |
//! | `time` | the event's `timestamp` |
//! | `datacontenttype` | `application/json` |
//! | `dataschema` | `/v1/event-types/{type}#/$defs/data`: the schema of `data` alone |
//! | `eventid` | extension: the event's own id, its idempotency key |
//! | `data` | the event's `data` |

use jiff::Timestamp;
use serde::Serialize;

use crate::event::{Event, EventData};

#[derive(Serialize)]
pub struct Envelope<'a> {
    specversion: &'static str,
    id: &'a str,
    source: String,
    #[serde(rename = "type")]
    event_type: String,
    subject: &'a str,
    time: Timestamp,
    datacontenttype: &'static str,
    dataschema: String,
    eventid: &'a str,
    data: &'a EventData,
}

impl<'a> Envelope<'a> {
    pub fn of(event: &'a Event, webhook_id: &'a str) -> Self {
        Self {
            specversion: "1.0",
            id: webhook_id,
            source: format!("/v1/accounts/{}", event.account_id),
            event_type: format!("ringfence.{}", event.event_type),
            subject: event.subject().id(),
            time: event.timestamp,
            datacontenttype: "application/json",
            dataschema: format!("/v1/event-types/{}#/$defs/data", event.event_type),
            eventid: &event.id,
            data: &event.data,
        }
    }
}
