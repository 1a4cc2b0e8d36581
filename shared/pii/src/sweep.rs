//! Masking of telephone numbers in what a source sent as is, where no schema says which fields hold them.
//!
//! Three rules, each failing closed:
//!
//! 1. Numbers of the event are known, and are masked wherever they stand on their own, however they are written.
//! 2. Values under keys that name a number ([`key`]) are masked as a number field.
//! 3. Any other run of 7 to 15 digits is masked, unless it clearly is something else: part of a UUID or hex id, an IP
//!    address, a date ([`opaque`]), or a time stamp or counter by its key.

mod key;
mod known;
mod opaque;
mod scan;

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::phone::{MASK, MAX_DIGITS, mask_phone};
use key::{KeyClass, KeyPath};
use known::Known;
use scan::scan;

/// Containers nested deeper than this are replaced whole; the recursion stays within any thread's stack.
const MAX_DEPTH: usize = 64;
/// Runs of at least this many digits are numbers even where nothing says so.
const MIN_DIGITS: usize = 7;

/// Masks phone numbers wherever they occur in free text or a JSON tree that a source sent as is.
///
/// ```
/// use ringfence_pii::Sweep;
/// let sweep = Sweep::new(["1002", "+14155550132"]);
/// assert_eq!(sweep.text("user/1002@10.10.10.204"), "user/****@10.10.10.204");
/// assert_eq!(sweep.text("call (415) 555-0132 back"), "call 41****0132 back");
/// assert_eq!(sweep.text("ticket 8f3a91, 12 May"), "ticket 8f3a91, 12 May");
/// ```
pub struct Sweep {
    known: Known,
}

impl Sweep {
    /// `known`: the numbers of this event (from, to, display number...), always masked wherever they occur.
    ///
    /// Numbers of less than three digits are ignored: they would be found everywhere.
    pub fn new<'a>(known: impl IntoIterator<Item = &'a str>) -> Self {
        Self {
            known: Known::new(known),
        }
    }

    /// Masks known numbers and any other run of 7 to 15 digits in free text. Borrows text that holds none.
    pub fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match scan(&self.known, &KeyClass::default(), text) {
            Some(masked) => Cow::Owned(masked),
            None => Cow::Borrowed(text),
        }
    }

    /// Masks a JSON tree in place, keys and values, at any depth.
    ///
    /// A JSON number that is masked becomes the string `****`. Containers nested deeper than 64 levels are replaced by
    /// `****`. Keys that are equal once masked get a counter, so that no member is lost.
    pub fn json(&self, value: &mut Value) {
        self.value(value, KeyPath::default(), 0);
    }

    fn value(&self, value: &mut Value, path: KeyPath<'_>, depth: usize) {
        match value {
            Value::Null | Value::Bool(_) => {}
            Value::Number(_) => self.number(value, path),
            Value::String(text) => self.string(text, path),
            Value::Array(_) | Value::Object(_) if depth >= MAX_DEPTH => *value = Value::from(MASK),
            Value::Array(items) => {
                for item in items {
                    self.value(item, path, depth + 1);
                }
            }
            Value::Object(members) => {
                for (key, member) in members.iter_mut() {
                    self.value(member, path.child(key), depth + 1);
                }
                self.keys(members);
            }
        }
    }

    fn keys(&self, members: &mut Map<String, Value>) {
        if members
            .keys()
            .all(|key| matches!(self.text(key), Cow::Borrowed(_)))
        {
            return;
        }
        for (key, member) in std::mem::take(members) {
            let masked = self.text(&key).into_owned();
            let mut unique = masked.clone();
            let mut count = 1_usize;
            while members.contains_key(&unique) {
                count += 1;
                unique = format!("{masked} ({count})");
            }
            members.insert(unique, member);
        }
    }

    fn string(&self, text: &mut String, path: KeyPath<'_>) {
        // Most strings of a call record hold no digit, and nothing else needs its key looked at.
        if text.is_ascii() && !text.bytes().any(|b| b.is_ascii_digit()) {
            return;
        }
        let class = path.class();
        let masked = if class.names_number(text) && !opaque::is_other_than_number(text) {
            Some(mask_phone(text))
        } else {
            scan(&self.known, &class, text)
        };
        if let Some(masked) = masked {
            *text = masked;
        }
    }

    fn number(&self, value: &mut Value, path: KeyPath<'_>) {
        // The shortest number that is masked under any key has three digits.
        if value.as_u64().is_some_and(|number| number < 100) {
            return;
        }
        let text = value.to_string();
        let digits = text.strip_prefix('-').unwrap_or(&text);
        let digits = digits.strip_suffix(".0").unwrap_or(digits);
        if !digits.bytes().all(|b| b.is_ascii_digit()) {
            return;
        }
        let class = path.class();
        let masked = self.known.contains(digits.as_bytes())
            || (class.number && digits.len() >= known::MIN_DIGITS)
            || ((MIN_DIGITS..=MAX_DIGITS).contains(&digits.len()) && !class.exempts(digits));
        if masked {
            *value = Value::from(MASK);
        }
    }
}
