//! The event that `test` sends: of the callback's own type, with made-up numbers, and marked.

use jiff::Timestamp;
use ringfence_ports::{Random, StoreError};
use serde_json::json;

use crate::{id, settings::EndpointKind};

/// A test event for a callback, as it would be stored. `data.tags` holds `test`, and every id in it
/// begins with `test`.
pub fn test_event(
    account: &str,
    kind: EndpointKind,
    now: Timestamp,
    random: &dyn Random,
) -> Result<String, StoreError> {
    let id = id::new(id::Kind::Event, now, random);
    let call = format!("test-{id}");
    let ago = |seconds: i64| {
        now.checked_sub(jiff::SignedDuration::from_secs(seconds))
            .unwrap_or(now)
    };
    let (event_type, data) = match kind {
        EndpointKind::Cdr => (
            "cdr.created",
            json!({
                "call_id": call, "direction": "inbound", "from": "+14155550132", "to": "+442079460958",
                "started_at": ago(74), "answered_at": ago(65), "ended_at": now, "duration": 74,
                "billsec": 65, "disposition": "answered", "hangup_party": "caller",
                "hangup_cause": "NORMAL_CLEARING", "tags": ["test"],
            }),
        ),
        EndpointKind::CallStatus => (
            "call.ringing",
            json!({
                "call_id": call, "direction": "inbound", "from": "+14155550132", "to": "+442079460958",
                "started_at": now, "ringing_at": now, "tags": ["test"],
            }),
        ),
        EndpointKind::PredictiveTask => (
            "predictive_task.call_answered",
            json!({
                "call_id": call, "task_id": "test-task", "direction": "outbound",
                "from": "+442079460958", "to": "+14155550132", "answered_at": now, "tags": ["test"],
            }),
        ),
        EndpointKind::Operational => (
            "callback.recovered",
            json!({ "callback": "operational", "message": "This is a test." }),
        ),
    };
    let event = json!({
        "type": event_type, "timestamp": now, "id": format!("test-{id}"), "account_id": account,
        "data": data,
    });
    serde_json::to_string(&event)
        .map_err(|_| StoreError::Invalid("a test event does not serialize"))
}
