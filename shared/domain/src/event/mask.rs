//! Masking at output: the stored event stays whole, what is shown or sent is a masked copy.
//!
//! | field | masked how |
//! | --- | --- |
//! | `from`, `to`, `display_number` | [`ringfence_pii::mask_phone`] |
//! | `extension` | the same when it holds 6 digits or more, or is one of those numbers; else it is no phone number |
//! | `source`, every string in it | [`ringfence_pii::Sweep`], which knows the numbers above |
//! | `agent_id`, `custom_id`, `tags`, `recording.url` | the same, as text |
//! | `id`, `call_id`, `parent_call_id`, `task_id`, `recording.id`, `hangup_cause` | only when one of the numbers above stands in it: else an id must stay what it is, so that integrators can match it |
//! | times, durations, counts, vocabulary words | hold no number |

use std::borrow::Cow;

use ringfence_pii::Sweep;

use super::data::{EventData, PhoneNumber};
use super::{Call, Event};
use crate::recording;

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

impl recording::Recording {
    /// A copy without a phone number in the clear, as [`Event::masked`]. Where its own numbers are not
    /// known, whatever looks like one in an id is hidden.
    #[must_use]
    pub fn masked(&self) -> Self {
        let known = Known::of(&EventData {
            from: self.from.clone(),
            to: self.to.clone(),
            ..EventData::default()
        });
        let id = |id: &String| {
            if known.runs.is_empty() {
                without_numbers(id)
            } else {
                known.id(id)
            }
        };
        let text = |text: &String| known.sweep.text(text).into_owned();
        Self {
            call_id: id(&self.call_id),
            external_id: self.external_id.as_ref().map(id),
            agent_id: self.agent_id.as_ref().map(text),
            team: self.team.as_ref().map(text),
            from: self.from.as_ref().map(PhoneNumber::masked),
            to: self.to.as_ref().map(PhoneNumber::masked),
            tags: self.tags.iter().map(text).collect(),
            deletion_reason: self.deletion_reason.as_ref().map(text),
            ..self.clone()
        }
    }
}

/// An id or name where nothing tells which numbers to look for: whatever looks like one is masked.
pub fn without_numbers(text: &str) -> String {
    Sweep::new([]).text(text).into_owned()
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
        let numbers = [&data.from, &data.to, &data.display_number];
        if let Some(extension) = &mut masked.extension
            && (digits(extension).len() >= PHONE_DIGITS
                || numbers
                    .into_iter()
                    .flatten()
                    .any(|number| number.as_str() == extension))
        {
            *extension = ringfence_pii::mask_phone(extension);
        }
        for id in [
            &mut masked.call_id,
            &mut masked.parent_call_id,
            &mut masked.task_id,
            &mut masked.hangup_cause,
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::event::body::{BodyFormat, render, render_stored};
    use crate::event::{call, samples};

    const FORMATS: [BodyFormat; 4] = [
        BodyFormat::Ringfence,
        BodyFormat::CloudEvents,
        BodyFormat::Native,
        BodyFormat::NativeForm,
    ];

    fn numbers(data: &EventData) -> Vec<String> {
        [&data.from, &data.to, &data.display_number]
            .into_iter()
            .flatten()
            .map(|number| digits(number.as_str()))
            .collect()
    }

    /// Every string of a document, keys too.
    fn strings(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::String(text) => found.push(text.clone()),
            Value::Number(number) => found.push(number.to_string()),
            Value::Array(items) => items.iter().for_each(|item| strings(item, found)),
            Value::Object(map) => {
                for (key, value) in map {
                    found.push(key.clone());
                    strings(value, found);
                }
            }
            _ => {}
        }
    }

    fn leak(body: &[u8], form: bool, numbers: &[String]) -> Option<String> {
        let text = if form {
            let pairs: Vec<(String, String)> = serde_urlencoded::from_bytes(body).expect("a form");
            pairs
                .into_iter()
                .find(|(name, _)| name == "detail")
                .expect("detail")
                .1
        } else {
            String::from_utf8(body.to_vec()).expect("UTF-8")
        };
        let mut found = Vec::new();
        strings(&serde_json::from_str(&text).expect("JSON"), &mut found);
        found.into_iter().find(|text| {
            let run: String = text.chars().filter(|c| !" ()-.+".contains(*c)).collect();
            numbers.iter().any(|number| match number.len() {
                // No more than 6 digits in a row may be seen of a long number (+1 415 **** 0123).
                7.. => (0..=number.len() - 7).any(|at| run.contains(&number[at..at + 7])),
                3.. => text
                    .split(|c: char| !c.is_alphanumeric())
                    .any(|word| word == number),
                _ => false,
            })
        })
    }

    #[test]
    fn no_format_of_any_sample_shows_a_number() {
        let samples = samples::all();
        assert!(samples.len() > 50);
        for (name, event) in &samples {
            let numbers = numbers(&event.data);
            let stored = event.to_json().expect("writes");
            for format in FORMATS {
                let form = format == BodyFormat::NativeForm;
                let body = render(format, event, true, "dlv_1").expect("renders");
                let leaked = leak(&body.bytes, form, &numbers);
                assert_eq!(leaked, None, "{name} {format:?}");
                let from_stored = render_stored(format, &stored, true, "dlv_1").expect("renders");
                assert_eq!(from_stored, body, "{name} {format:?}");
                // The test sees what is there to be seen.
                let open = render(format, event, false, "dlv_1").expect("renders");
                let has_numbers =
                    numbers.iter().any(|n| n.len() >= 3) && event.data.task_id.is_none();
                assert!(
                    !has_numbers || leak(&open.bytes, form, &numbers).is_some(),
                    "{name} {format:?}"
                );
            }
        }
    }

    #[test]
    fn a_call_record_is_masked_as_its_events_are() {
        let samples = samples::all();
        let events: Vec<_> = samples
            .iter()
            .map(|(_, event)| event)
            .filter(|event| event.data.call_id.as_deref() == Some("call-1042"))
            .collect();
        let call = call::fold(events.iter().copied()).expect("a call");
        let masked = serde_json::to_vec(&call.masked()).expect("writes");
        assert_eq!(leak(&masked, false, &numbers(&call.data)), None);
        assert!(
            leak(
                &serde_json::to_vec(&call).expect("writes"),
                false,
                &numbers(&call.data)
            )
            .is_some()
        );
    }

    #[test]
    fn masking_hides_numbers_and_nothing_else() {
        let event = samples::event("cdr.created.json");
        let masked = event.masked();
        let number = |n: &Option<PhoneNumber>| n.as_ref().map(|n| n.as_str().to_owned());
        assert_eq!(number(&masked.data.from).as_deref(), Some("+141****0123"));
        assert_eq!(masked.id, event.id);
        assert_eq!(masked.timestamp, event.timestamp);
        assert_eq!(masked.data.call_id, event.data.call_id);
        assert_eq!(masked.data.agent_id, event.data.agent_id);
        assert_eq!(masked.data.custom_id, event.data.custom_id);
        assert_eq!(masked.data.extension, event.data.extension);
        assert_eq!(masked.data.started_at, event.data.started_at);
        assert_eq!(masked.data.duration, event.data.duration);
        assert_eq!(
            masked.data.tags.as_ref().map(|tags| tags[0].as_str()),
            Some("sales")
        );
        let queue = masked.data.source.as_ref().map(|source| &source.0["queue"]);
        assert_eq!(queue, Some(&Value::from("sales")));
    }

    #[test]
    fn ids_stay_unless_a_number_stands_in_them() {
        let mut event = samples::event("call.answered.json");
        event.id = "20260131-081509-14155550123".into();
        event.data.call_id = Some("call_415-555-0123".into());
        event.data.extension = Some("4155550177".into());
        event.data.agent_id = Some("sip:4155550177@pbx".into());
        event.data.task_id = Some("1769847300.42".into());
        event.data.hangup_cause = Some("BUSY_14155550123".into());
        let masked = event.masked();
        let body = serde_json::to_vec(&masked).expect("writes");
        assert_eq!(leak(&body, false, &numbers(&event.data)), None);
        assert_eq!(leak(&body, false, &["4155550177".to_owned()]), None);
        assert_eq!(masked.data.task_id, event.data.task_id);
        // An id is an id still, and the same for the same.
        assert!(crate::event::fields::is_id(&masked.id), "{}", masked.id);
        assert_eq!(masked.data.call_id, event.masked().data.call_id);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_number_is_found_wherever_it_stands(
            digits in "[2-9][0-9]{9}",
            before in "[a-z /=:]{0,8}",
            after in "[a-z /&;]{0,8}",
        ) {
            let mut event = samples::event("cdr.created.json");
            event.data.from = Some(PhoneNumber::new(format!("+1{digits}")));
            let text = format!("{before}{digits}{after}");
            event.data.custom_id = Some(text.clone());
            event.data.agent_id = Some(text.clone());
            event.data.tags = Some(vec![text.clone()]);
            if let Some(source) = &mut event.data.source {
                source.0.insert("note".into(), Value::from(text.clone()));
            }
            if let Some(recording) = &mut event.data.recording {
                recording.url = Some(text);
            }
            for format in FORMATS {
                let body = render(format, &event, true, "dlv_1").expect("renders");
                prop_assert_eq!(leak(&body.bytes, format == BodyFormat::NativeForm, std::slice::from_ref(&digits)), None);
            }
        }
    }

    #[test]
    fn masking_twice_is_masking_once() {
        for (name, event) in samples::all() {
            let once = event.masked();
            let twice = once.masked();
            assert_eq!(twice.data.from, once.data.from, "{name}");
            assert_eq!(twice.data.to, once.data.to, "{name}");
        }
    }
}
