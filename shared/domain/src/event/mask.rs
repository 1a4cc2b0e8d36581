//! Masking at output: the stored event stays whole, what is shown or sent is a masked copy.
//!
//! | field | masked how |
//! | --- | --- |
//! | `from`, `to`, `display_number` | [`ringfence_pii::mask_phone`] |
//! | `extension` | the same when it holds 6 digits or more; a shorter one is no phone number |
//! | `source`, every string in it | [`ringfence_pii::Sweep`], which knows the numbers above |
//! | `agent_id`, `custom_id`, `tags`, `recording.url` | the same, as text |
//! | `id`, `call_id`, `parent_call_id`, `task_id`, `recording.id` | only when one of the numbers above stands in it: else an id must stay what it is, so that integrators can match it |
//! | times, durations, counts, vocabulary words | hold no number |

use std::borrow::Cow;

use ringfence_pii::Sweep;

use super::data::{EventData, PhoneNumber};
use super::{Call, Event};

/// From how many digits on a run of digits is a phone number and not an extension.
const PHONE_DIGITS: usize = 6;

impl Event {
    /// What hides this event's numbers in text about it: a receiver's response, say.
    pub fn sweep(&self) -> Sweep {
        Known::of(&self.data).sweep
    }

    /// A copy without a phone number in the clear: for every output while masking is on. Masking a
    /// masked event changes nothing of its number fields.
    #[must_use]
    pub fn masked(&self) -> Self {
        let known = Known::of(&self.data);
        Self {
            event_type: self.event_type,
            timestamp: self.timestamp,
            id: known.id(&self.id),
            account_id: self.account_id.clone(),
            data: known.data(&self.data),
        }
    }
}

impl Call {
    /// A copy without a phone number in the clear, as [`Event::masked`].
    #[must_use]
    pub fn masked(&self) -> Self {
        let known = Known::of(&self.data);
        Self {
            call_id: known.id(&self.call_id),
            account_id: self.account_id.clone(),
            state: self.state,
            updated_at: self.updated_at,
            data: known.data(&self.data),
        }
    }
}

fn digits(text: &str) -> String {
    text.chars()
        .filter_map(|c| c.to_digit(10))
        .filter_map(|d| char::from_digit(d, 10))
        .collect()
}

struct Known {
    sweep: Sweep,
    /// The digits of each number that is long enough to be told from any other digits.
    runs: Vec<String>,
}

impl Known {
    fn of(data: &EventData) -> Self {
        let numbers: Vec<&str> = [&data.from, &data.to, &data.display_number]
            .into_iter()
            .flatten()
            .map(PhoneNumber::as_str)
            .chain(data.extension.as_deref())
            .collect();
        let mut runs = Vec::with_capacity(numbers.len() * 2);
        for number in &numbers {
            let run = digits(number);
            if run.len() >= PHONE_DIGITS {
                // The last digits too: an id may hold the number without its country code.
                if let Some(tail) = run.len().checked_sub(8).and_then(|from| run.get(from..)) {
                    runs.push(tail.to_owned());
                }
                runs.push(run);
            }
        }
        Self {
            sweep: Sweep::new(numbers.iter().copied()),
            runs,
        }
    }

    fn id(&self, id: &str) -> String {
        if self.runs.is_empty() {
            return id.to_owned();
        }
        let shows = |text: &str| {
            let run = digits(text);
            self.runs.iter().any(|known| run.contains(known.as_str()))
        };
        if !shows(id) {
            return id.to_owned();
        }
        let swept = self.sweep.text(id);
        if shows(&swept) {
            "****".to_owned()
        } else {
            swept.into_owned()
        }
    }

    fn data(&self, data: &EventData) -> EventData {
        let mut masked = data.clone();
        for number in [&mut masked.from, &mut masked.to, &mut masked.display_number]
            .into_iter()
            .flatten()
        {
            *number = number.masked();
        }
        if let Some(extension) = &mut masked.extension {
            *extension = if digits(extension).len() >= PHONE_DIGITS {
                ringfence_pii::mask_phone(extension)
            } else {
                // "ext. 12 of 4155550123" cannot be: that has more digits. Letters stay.
                std::mem::take(extension)
            };
        }
        for id in [
            &mut masked.call_id,
            &mut masked.parent_call_id,
            &mut masked.task_id,
        ]
        .into_iter()
        .flatten()
        {
            *id = self.id(id);
        }
        for text in [&mut masked.agent_id, &mut masked.custom_id]
            .into_iter()
            .flatten()
        {
            self.sweep_in_place(text);
        }
        if let Some(recording) = &mut masked.recording {
            if let Some(id) = &mut recording.id {
                *id = self.id(id);
            }
            if let Some(url) = &mut recording.url {
                self.sweep_in_place(url);
            }
        }
        for tag in masked.tags.iter_mut().flatten() {
            self.sweep_in_place(tag);
        }
        if let Some(source) = &mut masked.source {
            let mut value = serde_json::Value::Object(std::mem::take(&mut source.0));
            self.sweep.json(&mut value);
            if let serde_json::Value::Object(map) = value {
                source.0 = map;
            }
        }
        masked
    }

    fn sweep_in_place(&self, text: &mut String) {
        if let Cow::Owned(swept) = self.sweep.text(text) {
            *text = swept;
        }
    }
}
