//! One pass over a text that finds runs of digits, joins those that separators of numbers keep together, and masks.

use super::MIN_DIGITS;
use super::key::{KeyClass, is_plausible_epoch};
use super::known::Known;
use super::opaque::{is_uuid_at, opaque_len};
use crate::fold::{Folded, fold};
use crate::phone::{MASK, MAX_DIGITS, mask_phone};

/// The most separators between two groups of digits of one number, as in `1) - (415`.
const MAX_GAP: usize = 4;
/// `+` joins groups only up to this size, where a form encodes spaces so; before a longer one it begins a number.
const MAX_PLUS_GROUP: usize = 4;
/// Of a number with a known extension in it, this many other digits may stay.
const MAX_REST: usize = 4;

/// Digits that nothing but invisible characters separates.
struct Group {
    /// Byte offsets in the text.
    start: usize,
    end: usize,
    /// The place of the digits in the cluster's.
    from: usize,
    to: usize,
    /// A letter stands right before it.
    after_letter: bool,
    /// The only digits of its word.
    alone: bool,
}

/// Masks the numbers of a text; `None` if there was nothing to mask.
pub(super) fn scan(known: &Known, class: &KeyClass, text: &str) -> Option<String> {
    // Most texts hold no digit of any script.
    if text.is_ascii() && !text.bytes().any(|b| b.is_ascii_digit()) {
        return None;
    }
    Scan::new(known, class, text).run()
}

/// The scan of one text.
struct Scan<'s> {
    known: &'s Known,
    class: &'s KeyClass,
    text: &'s str,
    /// Groups that belong together so far, and their digits.
    groups: Vec<Group>,
    digits: Vec<u8>,
    /// Separators since the last group.
    gap: usize,
    /// `+` and `(` right before what comes next, and those before the first group.
    next_lead: Lead,
    lead: Lead,
    /// Scratch of [`Self::mixed_word`].
    word_runs: Vec<Group>,
    word_digits: Vec<u8>,
    out: String,
    /// How much of the text is in `out`.
    copied: usize,
}

/// Offsets of the signs before a number.
#[derive(Clone, Copy, Default)]
struct Lead {
    plus: Option<usize>,
    bracket: Option<usize>,
}

impl<'s> Scan<'s> {
    fn new(known: &'s Known, class: &'s KeyClass, text: &'s str) -> Self {
        Self {
            known,
            class,
            text,
            groups: Vec::new(),
            digits: Vec::new(),
            gap: 0,
            next_lead: Lead::default(),
            lead: Lead::default(),
            word_runs: Vec::new(),
            word_digits: Vec::new(),
            out: String::new(),
            copied: 0,
        }
    }

    /// The masked text, if anything was masked.
    fn run(mut self) -> Option<String> {
        let mut at = 0;
        while let Some((folded, len)) = self.char_at(at) {
            match folded {
                Folded::Nothing => at += len,
                Folded::As(c) if c.is_alphanumeric() => at = self.word(at),
                Folded::As(c) => {
                    self.separator(c, at);
                    at += len;
                }
            }
        }
        self.flush();
        if self.copied == 0 {
            return None;
        }
        self.out
            .push_str(self.text.get(self.copied..).unwrap_or(""));
        Some(self.out)
    }

    /// What stands at an offset and its length; an escaped sign (`%2B`) is one sign.
    fn char_at(&self, at: usize) -> Option<(Folded, usize)> {
        let byte = *self.text.as_bytes().get(at)?;
        if byte.is_ascii() && byte != b'%' {
            return Some((Folded::As(char::from(byte)), 1));
        }
        let rest = self.text.get(at..)?;
        if let Some(sign) = escaped_sign(rest.as_bytes()) {
            return Some((Folded::As(char::from(sign)), 3));
        }
        let c = rest.chars().next()?;
        Some((fold(c), c.len_utf8()))
    }

    /// A sign between words: it keeps groups together, begins a number, or ends one.
    fn separator(&mut self, c: char, at: usize) {
        match c {
            '+' => {
                let joins = self.gap == 0
                    && self
                        .groups
                        .last()
                        .is_some_and(|group| group.to - group.from <= MAX_PLUS_GROUP);
                if joins {
                    self.gap = 1;
                } else {
                    self.flush();
                }
                self.next_lead.plus = Some(at);
                return;
            }
            '(' => {
                self.gap += 1;
                self.next_lead.bracket = Some(at);
                return;
            }
            ' ' | '-' | '.' | ')' | '/' | '_' => self.gap += 1,
            _ => self.flush(),
        }
        self.next_lead = Lead::default();
    }

    /// A word of letters and digits; gives its end.
    fn word(&mut self, start: usize) -> usize {
        let bytes = self.text.as_bytes().get(start..).unwrap_or(&[]);
        // Words of plain letters are most of a text.
        let letters = bytes.iter().take_while(|b| b.is_ascii_alphabetic()).count();
        let plain = letters > 0
            && bytes
                .get(letters)
                .is_none_or(|b| b.is_ascii() && !b.is_ascii_digit());
        if plain && !is_uuid_at(bytes) {
            self.flush();
            self.next_lead = Lead::default();
            return start + letters;
        }
        if let Some(len) = opaque_len(bytes) {
            self.flush();
            self.next_lead = Lead::default();
            self.opaque(start, start + len);
            return start + len;
        }
        self.mixed_word(start)
    }

    /// A word that has digits, or letters outside ASCII; gives its end.
    fn mixed_word(&mut self, start: usize) -> usize {
        let mut runs = std::mem::take(&mut self.word_runs);
        let mut digits = std::mem::take(&mut self.word_digits);
        let mut at = start;
        let mut letters = 0_usize;
        let mut in_run = false;
        while let Some((folded, len)) = self.char_at(at) {
            let Folded::As(c) = folded else {
                at += len;
                continue;
            };
            if !c.is_alphanumeric() {
                break;
            }
            if c.is_ascii_digit() {
                if !in_run {
                    let from = digits.len();
                    runs.push(Group {
                        start: at,
                        end: at,
                        from,
                        to: from,
                        after_letter: letters > 0,
                        alone: false,
                    });
                }
                digits.extend(u8::try_from(c));
                if let Some(run) = runs.last_mut() {
                    run.end = at + len;
                    run.to = digits.len();
                }
            } else {
                letters += 1;
            }
            in_run = c.is_ascii_digit();
            at += len;
        }
        let alone = runs.len() == 1;
        for run in runs.drain(..) {
            let run_digits = digits.get(run.from..run.to).unwrap_or(&[]);
            if run.after_letter || !self.joins(run_digits.len()) {
                self.flush();
                self.lead = if run.after_letter {
                    Lead::default()
                } else {
                    self.next_lead
                };
            }
            let from = self.digits.len();
            self.digits.extend_from_slice(run_digits);
            self.groups.push(Group {
                from,
                to: self.digits.len(),
                alone,
                ..run
            });
        }
        if !in_run {
            self.flush();
        }
        self.gap = 0;
        self.next_lead = Lead::default();
        digits.clear();
        (self.word_runs, self.word_digits) = (runs, digits);
        at
    }

    /// Whether a word that begins with so many digits continues the number before it.
    fn joins(&self, digits: usize) -> bool {
        let plus = self.next_lead.plus.is_some();
        !self.groups.is_empty()
            && (1..=MAX_GAP).contains(&self.gap)
            && (!plus || digits <= MAX_PLUS_GROUP)
    }

    /// Known numbers are found even where no other is looked for.
    fn opaque(&mut self, start: usize, end: usize) {
        let bytes = self.text.as_bytes().get(start..end).unwrap_or(&[]);
        let mut at = 0;
        for run in bytes.split(|b| !b.is_ascii_digit()) {
            if run.len() >= MIN_DIGITS && self.known.contains_long(run) {
                self.mask(start + at, start + at + run.len());
            }
            at += run.len() + 1;
        }
    }

    /// Masks what there is to mask in the groups so far, which belong together, and begins anew.
    fn flush(&mut self) {
        if !self.groups.is_empty() {
            let groups = std::mem::take(&mut self.groups);
            let mut rest = 0;
            let mut at = 0;
            while at < groups.len() {
                if let Some(end) = self.known_from(&groups, at) {
                    self.unknown(&groups, rest, at);
                    self.mask_groups(&groups, at, end);
                    (rest, at) = (end, end);
                } else {
                    at += 1;
                }
            }
            self.unknown(&groups, rest, groups.len());
            self.groups = groups;
            self.groups.clear();
            self.digits.clear();
        }
        self.gap = 0;
        self.lead = Lead::default();
    }

    /// The end of the longest known number that begins with a group.
    fn known_from(&self, groups: &[Group], at: usize) -> Option<usize> {
        let from = groups.get(at)?.from;
        let ends = groups
            .iter()
            .enumerate()
            .skip(at)
            .take_while(|(_, group)| group.to - from <= self.known.max_len());
        let known = ends.filter(|(_, group)| {
            self.known
                .contains_long(self.digits.get(from..group.to).unwrap_or(&[]))
        });
        known.last().map(|(index, _)| index + 1)
    }

    /// Groups that are no known long number: pieces of at most as many digits as a number has.
    fn unknown(&mut self, groups: &[Group], from: usize, to: usize) {
        let mut start = from;
        let mut total = 0;
        let mut cut = false;
        for (index, group) in groups.iter().enumerate().take(to).skip(from) {
            let len = group.to - group.from;
            if total + len > MAX_DIGITS {
                self.piece(groups, start, index, cut);
                (start, total) = (index, 0);
                cut = true;
            }
            total += len;
        }
        self.piece(groups, start, to, cut);
    }

    /// One piece. What was `cut` off a longer row of digits may be the rest of a number, however short.
    fn piece(&mut self, groups: &[Group], from: usize, to: usize, cut: bool) {
        let Some(piece) = groups.get(from..to) else {
            return;
        };
        let len = |group: &Group| group.to - group.from;
        let total: usize = piece.iter().map(len).sum();
        let known: usize = piece
            .iter()
            .filter(|group| self.is_known_short(group))
            .map(len)
            .sum();
        if total == 0 || total > MAX_DIGITS {
            return;
        }
        let is_number = total >= MIN_DIGITS;
        if known > 0 && (!is_number || total - known <= MAX_REST) {
            for group in piece {
                if self.is_known_short(group) || cut {
                    self.replace(group.start, group.end, MASK);
                }
            }
        } else if known > 0 || (cut && !is_number) {
            let end = piece.last().map_or(0, |group| group.end);
            self.replace(self.start_of(groups, from, end), end, MASK);
        } else if is_number && !self.is_exempt(groups, from, to) {
            self.mask_groups(groups, from, to);
        }
    }

    /// Whether a group is a known extension that stands on its own: no part of a decimal, an id or a time.
    fn is_known_short(&self, group: &Group) -> bool {
        let digits = self.digits.get(group.from..group.to).unwrap_or(&[]);
        if !group.alone || !self.known.contains_short(digits) {
            return false;
        }
        let bytes = self.text.as_bytes();
        let before = bytes.get(..group.start).unwrap_or(&[]);
        let after = bytes.get(group.end..).unwrap_or(&[]);
        let decimal =
            matches!(before, [.., b'0'..=b'9', b'.']) || matches!(after, [b'.', b'0'..=b'9', ..]);
        // "11 Jan 2018 11:25:44 +0000" (RFC 5322 §3.3)
        let year = matches!(
            after,
            [b' ', b'0'..=b'9', b'0'..=b'9', b':', b'0'..=b'9', ..]
        );
        let zone = matches!(
            before,
            [.., b':', b'0'..=b'9', b'0'..=b'9', b' ', b'+' | b'-']
        ) || matches!(before, [.., b':', b'0'..=b'9', b'0'..=b'9', b'+' | b'-']);
        !(decimal || (digits.len() == 4 && (year || zone)))
    }

    /// Whether unknown digits are clearly no telephone number.
    fn is_exempt(&self, groups: &[Group], from: usize, to: usize) -> bool {
        let (text, lead) = (
            self.text,
            if from == 0 {
                self.lead
            } else {
                Lead::default()
            },
        );
        let digits_of = |group: &Group| text.get(group.start..group.end).unwrap_or("");
        match groups.get(from..to) {
            Some([group]) if lead.plus.is_none() => {
                let digits = digits_of(group);
                // FreeSWITCH's `transfer_history`: a time, a colon, a UUID.
                let stamped = text.as_bytes().get(group.end + 1..).is_some_and(is_uuid_at)
                    && text.as_bytes().get(group.end) == Some(&b':')
                    && is_plausible_epoch(digits);
                stamped || (text.trim() == digits && self.class.exempts(digits))
            }
            Some([whole, fraction]) if lead.plus.is_none() => {
                let seconds = digits_of(whole);
                let decimal = text.get(whole.end..fraction.start) == Some(".");
                let all = text.trim().len() == fraction.end - whole.start;
                decimal
                    && (self.class.exempts_unique_id(seconds)
                        || (all && self.class.exempts_decimal(seconds)))
            }
            // "Jitsi2.10.5550", the version of a user agent.
            Some(version @ [first, _, .., last]) => {
                let dotted = version
                    .iter()
                    .zip(version.iter().skip(1))
                    .all(|(group, next)| text.get(group.end..next.start) == Some("."));
                dotted
                    && first.after_letter
                    && first.to - first.from < 3
                    && last.to - first.from <= 8
            }
            _ => false,
        }
    }

    /// Where a number that begins with a group begins, with the signs before it.
    fn start_of(&self, groups: &[Group], from: usize, end: usize) -> usize {
        let first = groups.get(from).map_or(end, |group| group.start);
        if from > 0 {
            return first;
        }
        let closes = self
            .text
            .get(first..end)
            .is_some_and(|number| number.contains(')'));
        let bracket = self.lead.bracket.filter(|_| closes);
        match (self.lead.plus, bracket) {
            (Some(plus), Some(bracket)) => plus.min(bracket),
            (plus, bracket) => plus.or(bracket).unwrap_or(first),
        }
    }

    fn mask_groups(&mut self, groups: &[Group], from: usize, to: usize) {
        let end = to
            .checked_sub(1)
            .and_then(|last| groups.get(last))
            .map_or(0, |group| group.end);
        self.mask(self.start_of(groups, from, end), end);
    }

    /// Masks a part of the text as a number field.
    fn mask(&mut self, start: usize, end: usize) {
        let number = self.text.get(start..end).unwrap_or("");
        if !number.contains('%') {
            let masked = mask_phone(number);
            self.replace(start, end, &masked);
            return;
        }
        let mut plain = String::with_capacity(number.len());
        let mut at = start;
        while at < end
            && let Some((folded, len)) = self.char_at(at)
        {
            if let Folded::As(c) = folded {
                // A form writes a space as a plus sign.
                plain.push(if c == '+' && at > start { ' ' } else { c });
            }
            at += len;
        }
        let masked = mask_phone(&plain);
        match masked.strip_prefix('+') {
            // The text stays encoded as it was.
            Some(digits) => self.replace(start, end, &format!("%2B{digits}")),
            None => self.replace(start, end, &masked),
        }
    }

    fn replace(&mut self, start: usize, end: usize, with: &str) {
        self.out
            .push_str(self.text.get(self.copied..start).unwrap_or(""));
        self.out.push_str(with);
        self.copied = end;
    }
}

/// The sign that a percent-encoded byte stands for (RFC 3986 §2.1). Letters and digits are never written so.
fn escaped_sign(bytes: &[u8]) -> Option<u8> {
    let [b'%', high, low, ..] = bytes else {
        return None;
    };
    let value = char::from(*high).to_digit(16)? * 16 + char::from(*low).to_digit(16)?;
    u8::try_from(value)
        .ok()
        .filter(|b| b.is_ascii_punctuation() || *b == b' ')
}
