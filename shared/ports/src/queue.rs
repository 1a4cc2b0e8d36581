use std::time::Duration;

use async_trait::async_trait;

use crate::StoreError;

/// The longest delay of one message: SQS's `DelaySeconds` limit. Longer waits are rows under a due
/// time, which a schedule empties.
pub const MAX_DELAY: Duration = Duration::from_mins(15);

/// The largest message body, in bytes (SQS: 1 MiB).
pub const MAX_MESSAGE_BYTES: usize = 1024 * 1024;

/// The name of a queue. Which queues there are is the domain's business.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QueueName(pub &'static str);

/// A message on its way into a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Which queue.
    pub queue: QueueName,
    /// The body: JSON text of at most [`MAX_MESSAGE_BYTES`].
    pub body: String,
    /// How long it stays invisible; at most [`MAX_DELAY`].
    pub delay: Duration,
    /// Fairness group (the endpoint): a group with many messages does not hold up another.
    /// It orders nothing.
    pub group: String,
}

/// A message as a consumer gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// The queue's own id of this message; what [`Consumer::handle`] answers with on failure.
    pub id: String,
    /// The body that was sent.
    pub body: String,
    /// The group that it was sent with.
    pub group: String,
    /// How often it has been handed out, this time included (1 = the first time). More than once
    /// means that an earlier consumer failed or died, so its work may be half done.
    pub receives: u32,
}

/// Sends messages. At least once, unordered.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Sends all of `messages`; durable when it answers `Ok`. On an error any part of them may
    /// have been sent: senders make their messages repeatable.
    async fn send(&self, messages: Vec<Message>) -> Result<(), StoreError>;
}

/// Consumes messages: a Lambda behind SQS, or the embedded pump, calls it with a batch.
#[async_trait]
pub trait Consumer: Send + Sync {
    /// Works on a batch and answers with the ids that failed. Those come again, and land in the
    /// dead letters after a number of receives; all others are done with.
    async fn handle(&self, batch: Vec<Received>) -> Vec<String>;

    /// How many messages of a group there is use in having out at a time; `None`: as many as whoever
    /// feeds it allows. More than that would only wait here, in places that other groups could use.
    /// Asked often, and has to answer at once.
    fn places(&self, group: &str) -> Option<usize> {
        let _ = group;
        None
    }
}
