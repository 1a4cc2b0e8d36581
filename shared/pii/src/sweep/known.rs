//! The numbers of an event, in every form in which a source may repeat them.

use crate::country_code::country_code_len;
use crate::fold::fold_field;
use crate::phone::{Address, Number, listed_numbers};

/// Shorter numbers are ignored.
pub(super) const MIN_DIGITS: usize = 3;
/// From here on a number is found whatever its separators and prefixes; shorter ones only as they are.
const MIN_LONG_DIGITS: usize = 6;
/// The shortest national number that is looked for on its own.
const MIN_NATIONAL_DIGITS: usize = 7;
/// National numbers without a country code are shorter than this almost everywhere.
const MIN_INTERNATIONAL_DIGITS: usize = 11;

/// Known numbers as ASCII digits.
pub(super) struct Known {
    /// Without leading zeros; with and without the country code.
    long: Vec<Vec<u8>>,
    /// Extensions and short codes, as they are.
    short: Vec<Vec<u8>>,
    /// The most digits a run can have and still be one of `long`.
    max_len: usize,
}

impl Known {
    pub(super) fn new<'a>(numbers: impl IntoIterator<Item = &'a str>) -> Self {
        let mut known = Self {
            long: Vec::new(),
            short: Vec::new(),
            max_len: 0,
        };
        for number in numbers {
            let field = fold_field(number);
            // Masked digits are not the number's.
            if field.contains("**") {
                continue;
            }
            match listed_numbers(&field) {
                Some(listed) => listed
                    .into_iter()
                    .for_each(|number| known.add_field(number)),
                None => known.add_field(&field),
            }
        }
        // Before a long number: an exit code of up to three digits, a country code and a trunk prefix.
        known.max_len = known
            .long
            .iter()
            .map(Vec::len)
            .max()
            .map_or(0, |len| len + 7);
        known
    }

    fn add_field(&mut self, field: &str) {
        let Some(address) = Address::parse(field) else {
            self.add_unparsed(field);
            return;
        };
        match address.number {
            Some(number) => self.add_number(&number),
            None => self.add_unparsed(address.user),
        }
        if address.has_extension {
            let user = field.split_once('@').map_or(field, |(user, _)| user);
            self.add_run(runs(user).last().unwrap_or(""));
        }
    }

    fn add_number(&mut self, number: &Number) {
        let digits = number.digits();
        if digits.len() < MIN_LONG_DIGITS {
            self.add_short(digits);
            return;
        }
        self.add_long(digits);
        let national = if number.is_international() {
            number.subscriber()
        } else if digits.len() >= MIN_INTERNATIONAL_DIGITS {
            // Many platforms write E.164 without the plus.
            country_code_len(digits)
                .and_then(|len| digits.get(len..))
                .unwrap_or(&[])
        } else {
            &[]
        };
        if national.len() >= MIN_NATIONAL_DIGITS {
            self.add_long(national);
        } else if number.is_international() {
            self.add_short(national);
        }
    }

    /// What is no number may still be digits, or a name with some in it (`agent1001`).
    fn add_unparsed(&mut self, text: &str) {
        if text.chars().any(char::is_alphabetic) {
            let only = runs(text).count() == 1;
            for run in runs(text).filter(|run| only || run.len() >= MIN_NATIONAL_DIGITS) {
                self.add_run(run);
            }
        } else {
            let digits: String = runs(text).collect();
            self.add_run(&digits);
        }
    }

    fn add_run(&mut self, digits: &str) {
        if digits.len() >= MIN_LONG_DIGITS {
            self.add_long(digits.as_bytes());
        } else {
            self.add_short(digits.as_bytes());
        }
    }

    fn add_short(&mut self, digits: &[u8]) {
        if digits.len() >= MIN_DIGITS && !self.short.iter().any(|known| known == digits) {
            self.short.push(digits.to_vec());
        }
    }

    fn add_long(&mut self, digits: &[u8]) {
        let digits = without_zeros(digits);
        if digits.len() < MIN_LONG_DIGITS {
            self.add_short(digits);
        } else if !self.long.iter().any(|known| known == digits) {
            self.long.push(digits.to_vec());
        }
    }

    /// The most digits a run can have and still be a known number.
    pub(super) fn max_len(&self) -> usize {
        self.max_len
    }

    /// Whether a whole run of digits is a known number.
    pub(super) fn contains(&self, digits: &[u8]) -> bool {
        self.contains_short(digits) || self.contains_long(digits)
    }

    /// Whether a run is a known extension or short code.
    pub(super) fn contains_short(&self, digits: &[u8]) -> bool {
        self.short.iter().any(|known| known == digits)
    }

    /// Whether a run is a known number, with or without an exit code, its country code or a trunk prefix.
    pub(super) fn contains_long(&self, digits: &[u8]) -> bool {
        if digits.len() > self.max_len || digits.len() < MIN_LONG_DIGITS {
            return false;
        }
        let is_known = |digits: &[u8]| self.long.iter().any(|known| known == digits);
        let is_known_abroad = |digits: &[u8]| {
            let national = country_code_len(digits)
                .and_then(|len| digits.get(len..))
                .unwrap_or(&[]);
            is_known(digits)
                || (national.len() >= MIN_NATIONAL_DIGITS && is_known(without_zeros(national)))
        };
        // 011 is the exit code of North America; leading zeros are the one of most others, or a trunk prefix.
        is_known_abroad(without_zeros(digits))
            || digits.strip_prefix(b"011").is_some_and(is_known_abroad)
    }
}

/// The runs of ASCII digits.
fn runs(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_digit())
        .filter(|run| !run.is_empty())
}

fn without_zeros(digits: &[u8]) -> &[u8] {
    digits
        .get(digits.iter().take_while(|digit| **digit == b'0').count()..)
        .unwrap_or(&[])
}
