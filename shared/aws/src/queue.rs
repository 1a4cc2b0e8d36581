//! [`Queue`] on SQS.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_sqs::operation::send_message_batch::SendMessageBatchOutput;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use ringfence_ports::{MAX_MESSAGE_BYTES, Message, Queue, StoreError};

use crate::Store;
use crate::envelope::{Sealed, sealed};
use crate::retry::{Patience, Trouble, is_busy, trouble};
use crate::store::bounded;

/// Entries of one `SendMessageBatch`.
const MAX_BATCH: usize = 10;

/// Bytes of one batch, all bodies together; the same as of one body.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html>
const MAX_BATCH_BYTES: usize = MAX_MESSAGE_BYTES;

#[async_trait]
impl Queue for Store {
    async fn send(&self, messages: Vec<Message>) -> Result<(), StoreError> {
        messages.iter().try_for_each(Message::validate)?;
        match self.send_all(&messages).await.into_iter().next() {
            None => Ok(()),
            Some((_, error)) => Err(error),
        }
    }
}

/// A message with its place among those to be sent.
struct Entry<'a> {
    at: usize,
    sealed: Sealed<'a>,
    delay: i32,
}

struct Batch<'a> {
    queue: &'static str,
    bytes: usize,
    entries: Vec<Entry<'a>>,
}

impl Store {
    /// Sends valid messages, as many in a request as fit. Answers with the places of those that were
    /// not sent, and why.
    pub(crate) async fn send_all(&self, messages: &[Message]) -> Vec<(usize, StoreError)> {
        let mut failed = Vec::new();
        let batches = batches(messages, &mut failed);
        let sending = batches.into_iter().map(|batch| self.send_batch(batch));
        bounded(sending, |more| failed.extend(more)).await;
        failed
    }

    /// Sends one batch; what of it failed for no fault of its own goes out again.
    async fn send_batch(&self, batch: Batch<'_>) -> Vec<(usize, StoreError)> {
        let Batch {
            queue, mut entries, ..
        } = batch;
        let all = |entries: &[Entry<'_>], error: &StoreError| {
            entries
                .iter()
                .map(|entry| (entry.at, error.clone()))
                .collect::<Vec<_>>()
        };
        let Some(url) = self.options.queues.get(queue) else {
            return all(
                &entries,
                &StoreError::Invalid("a queue of that name is not configured"),
            );
        };
        let mut failed = Vec::new();
        let mut patience = Patience::new();
        loop {
            let request: Result<Vec<_>, _> =
                entries.iter().enumerate().map(Entry::request).collect();
            let Ok(request) = request else {
                return all(&entries, &StoreError::Invalid("a message is incomplete"));
            };
            let sent = self
                .sqs
                .send_message_batch()
                .queue_url(url)
                .set_entries(Some(request))
                .send()
                .await;
            let trouble = match sent {
                Ok(answer) => {
                    let (left, refused, trouble) = sort(&answer, entries);
                    failed.extend(refused);
                    entries = left;
                    match trouble {
                        None => return failed,
                        Some(trouble) => trouble,
                    }
                }
                Err(error) => trouble(&error),
            };
            if let Err(trouble) = patience.outlast(trouble, &*self.random).await {
                failed.extend(all(&entries, &trouble.into()));
                return failed;
            }
        }
    }
}

impl Entry<'_> {
    fn request(
        (n, entry): (usize, &Self),
    ) -> Result<SendMessageBatchRequestEntry, aws_sdk_sqs::error::BuildError> {
        SendMessageBatchRequestEntry::builder()
            .id(n.to_string())
            .message_body(&*entry.sealed.body)
            .message_group_id(&*entry.sealed.group)
            .delay_seconds(entry.delay)
            .build()
    }
}

/// What of a batch goes out again, what is refused for good, and why the former was not sent.
fn sort<'a>(
    answer: &SendMessageBatchOutput,
    entries: Vec<Entry<'a>>,
) -> (Vec<Entry<'a>>, Vec<(usize, StoreError)>, Option<Trouble>) {
    let mut again = Vec::new();
    let mut refused = Vec::new();
    let mut trouble = None;
    for (n, entry) in entries.into_iter().enumerate() {
        let id = n.to_string();
        if answer.successful.iter().any(|sent| sent.id == id) {
            continue;
        }
        // An entry of which the answer says nothing may have been sent.
        let (code, its_fault) = answer
            .failed
            .iter()
            .find(|failure| failure.id == id)
            .map_or(("no answer", false), |failure| {
                (failure.code.as_str(), failure.sender_fault)
            });
        let cause = || format!("the queue answered {code}");
        if is_busy(code) {
            trouble.get_or_insert(Trouble::Busy);
            again.push(entry);
        } else if its_fault {
            refused.push((entry.at, StoreError::Unavailable(cause())));
        } else {
            trouble.get_or_insert(Trouble::Unsure(cause()));
            again.push(entry);
        }
    }
    (again, refused, trouble)
}

/// Fills batches in order, a queue at a time. A message that does not fit as SQS needs it written is
/// refused here.
fn batches<'a>(messages: &'a [Message], failed: &mut Vec<(usize, StoreError)>) -> Vec<Batch<'a>> {
    let mut full = Vec::new();
    // The batch that is being filled, of each queue: there are a few.
    let mut open: Vec<Batch<'a>> = Vec::new();
    for (at, message) in messages.iter().enumerate() {
        let sealed = sealed(&message.body, &message.group);
        let bytes = sealed.body.len();
        if bytes > MAX_MESSAGE_BYTES {
            failed.push((
                at,
                StoreError::TooLarge {
                    limit: MAX_MESSAGE_BYTES,
                },
            ));
            continue;
        }
        let entry = Entry {
            at,
            sealed,
            delay: seconds(message.delay),
        };
        let fresh = |entry| Batch {
            queue: message.queue.0,
            bytes,
            entries: vec![entry],
        };
        match open.iter_mut().find(|batch| batch.queue == message.queue.0) {
            None => open.push(fresh(entry)),
            Some(batch)
                if batch.entries.len() < MAX_BATCH && batch.bytes + bytes <= MAX_BATCH_BYTES =>
            {
                batch.bytes += bytes;
                batch.entries.push(entry);
            }
            Some(batch) => full.push(std::mem::replace(batch, fresh(entry))),
        }
    }
    full.extend(open);
    full
}

/// Whole seconds, and never less than asked for.
fn seconds(delay: Duration) -> i32 {
    let up = u64::from(delay.subsec_nanos() > 0);
    i32::try_from(delay.as_secs() + up).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_sqs::types::{BatchResultErrorEntry, SendMessageBatchResultEntry};
    use ringfence_ports::QueueName;

    fn message(queue: &'static str, bytes: usize) -> Message {
        let body = "x".repeat(bytes);
        Message {
            queue: QueueName(queue),
            body,
            delay: Duration::ZERO,
            group: "g".to_owned(),
        }
    }

    fn shape(messages: &[Message]) -> Vec<(&'static str, Vec<usize>)> {
        let mut failed = Vec::new();
        let all = batches(messages, &mut failed);
        assert_eq!(failed, []);
        all.into_iter()
            .map(|b| (b.queue, b.entries.iter().map(|e| e.at).collect()))
            .collect()
    }

    #[test]
    fn ten_to_a_batch_and_one_queue_to_a_batch() {
        let mut messages: Vec<Message> = (0..12).map(|_| message("a", 10)).collect();
        messages.insert(1, message("b", 10));
        let a: Vec<usize> = [0].into_iter().chain(2..11).collect();
        assert_eq!(
            shape(&messages),
            [("a", a), ("a", vec![11, 12]), ("b", vec![1])]
        );
    }

    #[test]
    fn a_batch_is_at_most_a_mebibyte() {
        let half = MAX_BATCH_BYTES / 2;
        let messages = [
            message("a", half),
            message("a", half),
            message("a", 1),
            message("a", MAX_BATCH_BYTES),
        ];
        assert_eq!(
            shape(&messages),
            [("a", vec![0, 1]), ("a", vec![2]), ("a", vec![3])]
        );
    }

    #[test]
    fn what_grows_over_the_limit_is_refused_alone() {
        let mut messages = [message("a", 1), message("a", MAX_MESSAGE_BYTES)];
        // Noise does not deflate.
        let mut state = 1_u64;
        let noise = std::iter::repeat_with(|| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            char::from(b' ' + u8::try_from((state >> 33) % 94).unwrap())
        });
        messages[1].body = noise.take(MAX_MESSAGE_BYTES).collect();
        messages[1].group = "группа".to_owned();
        let mut failed = Vec::new();
        assert_eq!(batches(&messages, &mut failed).len(), 1);
        let error = StoreError::TooLarge {
            limit: MAX_MESSAGE_BYTES,
        };
        assert_eq!(failed, [(1, error)]);
    }

    #[test]
    fn only_what_failed_goes_out_again() {
        let messages: Vec<Message> = (0..5).map(|_| message("a", 1)).collect();
        let mut batch = batches(&messages, &mut Vec::new());
        let entries = batch.remove(0).entries;
        let sent = |id: &str| {
            SendMessageBatchResultEntry::builder()
                .id(id)
                .message_id("m")
                .md5_of_message_body("d")
                .build()
                .unwrap()
        };
        let failed = |id: &str, code: &str, its_fault| {
            BatchResultErrorEntry::builder()
                .id(id)
                .code(code)
                .sender_fault(its_fault)
                .build()
                .unwrap()
        };
        let answer = SendMessageBatchOutput::builder()
            .successful(sent("0"))
            .failed(failed("1", "InternalError", false))
            .failed(failed("2", "InvalidMessageContents", true))
            .failed(failed("3", "RequestThrottled", true))
            .build()
            .unwrap();
        let (again, refused, trouble) = sort(&answer, entries);
        assert_eq!(
            again.iter().map(|entry| entry.at).collect::<Vec<_>>(),
            [1, 3, 4]
        );
        let cause = "the queue answered InvalidMessageContents".to_owned();
        assert_eq!(refused, [(2, StoreError::Unavailable(cause))]);
        assert!(matches!(trouble, Some(Trouble::Unsure(_))));
    }

    #[test]
    fn a_delay_is_never_cut_short() {
        assert_eq!(seconds(Duration::from_millis(1)), 1);
        assert_eq!(seconds(Duration::from_mins(15)), 900);
    }
}
