//! Callbacks: from a queued event to a signed request at the integrator's endpoint, every attempt on
//! record, and nothing lost in between.

pub mod delivery;
mod dispatch;
pub mod gate;
pub mod log;
pub mod message;
pub mod operational;
pub mod replay;
pub mod schedule;
pub mod sweep;
pub mod test_event;

use jiff::Timestamp;

use crate::{event::Subject, id, settings::EndpointKind};
pub use dispatch::{Dispatcher, Tried};

/// The id of the delivery of one event to one endpoint. The same inputs give the same id; it is also
/// the `webhook-id`, the same at every attempt.
pub fn delivery_id(
    account: &str,
    kind: EndpointKind,
    subject: Subject<'_>,
    event_id: &str,
    accepted_at: Timestamp,
) -> String {
    let (space, subject) = match subject {
        Subject::Call(call) => ("call", call),
        Subject::Task(task) => ("task", task),
    };
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    for part in [account, kind.as_str(), space, subject, event_id] {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part.as_bytes());
    }
    let mut tail = [0; 10];
    tail.copy_from_slice(&context.finish().as_ref()[..10]);
    id::with_tail(id::Kind::Delivery, accepted_at, tail)
}
