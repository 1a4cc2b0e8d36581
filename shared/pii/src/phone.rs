//! Masking of one telephone number field.
//!
//! Of a subscriber number of N digits at least four stay hidden and at most seven are shown; the stars are always four,
//! so that they never tell how many digits they hide. What cannot be parsed is hidden whole.

use crate::country_code::country_code_len;
use crate::fold::fold_field;

/// What stands for hidden digits, however many they are.
pub(crate) const MASK: &str = "****";
/// What stands for an extension or post-dial digits.
const EXTENSION_MASK: &str = " x***";
/// What stands for the host of an address.
const HOST_MASK: &str = "@****";
/// The output for a caller who withheld the number.
const ANONYMOUS: &str = "anonymous";

/// The longest international number, country code included (ITU-T E.164 §6).
pub(crate) const MAX_DIGITS: usize = 15;
/// The longest dial string that is looked into, in bytes. Fifteen digits, an extension and all their separators need less.
const MAX_DIAL_STRING: usize = 128;
/// Separated numbers of at least this many digits each are several numbers, shorter ones post-dial digits.
const MIN_LISTED_DIGITS: usize = 7;

/// Words that platforms send where the caller withheld the number.
const WITHHELD: [&str; 7] = [
    "anonymous",
    "restricted",
    "private",
    "blocked",
    "withheld",
    "unavailable",
    "unknown",
];
/// The same as numbers, spelled on the keypad: ANONYMOUS, RESTRICTED, UNAVAILABLE.
const WITHHELD_KEYPAD: [&str; 3] = ["+266696687", "+7378742833", "+86282452253"];

/// Schemes that stay in the output, since they tell the channel.
const KEPT_SCHEMES: [&str; 4] = ["sip:", "sips:", "whatsapp:", "client:"];
/// Schemes that say no more than "a telephone number".
const DROPPED_SCHEMES: [&str; 2] = ["tel:", "callto:"];

/// Masks one phone number field, e.g. `138****1234`. Fails closed: what cannot be parsed is `****`.
///
/// - Digits of any script are understood; separators are dropped; empty stays empty.
/// - A country code is recognised after `+` or `00` and is shown. Of the other digits the last four and the first three
///   are shown at most, fewer the shorter the number, none of five or less.
/// - `sip:`, `sips:`, `whatsapp:` and `client:` stay, hosts become `@****`, extensions and post-dial digits ` x***`.
/// - Several numbers in one field are masked each and joined with `, `.
/// - A withheld number (`Restricted`, `+266696687`) is `anonymous`.
/// - Masked input is returned unchanged.
///
/// ```
/// use ringfence_pii::mask_phone;
/// assert_eq!(mask_phone("13812341234"), "138****1234");
/// assert_eq!(mask_phone("\"Bob\" <sip:+14155550132@pbx.example.com>"), "sip:+141****0132@****");
/// assert_eq!(mask_phone("no number"), "****");
/// ```
pub fn mask_phone(input: &str) -> String {
    let field = fold_field(input);
    let text = &*field;
    if text.is_empty() {
        return String::new();
    }
    if WITHHELD.iter().any(|word| word.eq_ignore_ascii_case(text))
        || WITHHELD_KEYPAD.contains(&text)
    {
        return ANONYMOUS.to_owned();
    }
    if text.contains("**") {
        let masked = text.split(", ").all(is_masked);
        return if masked {
            text.to_owned()
        } else {
            MASK.to_owned()
        };
    }
    // The longest output of one number: "whatsapp:+123123****1234 x***@****".
    let mut out = String::with_capacity(40);
    match listed_numbers(text) {
        Some(numbers) => {
            for (index, number) in numbers.into_iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                mask_one(number, &mut out);
            }
        }
        None => mask_one(text, &mut out),
    }
    out
}

/// Whether the text is an output of ours for one number:
/// `^(scheme:)?(\+\d{1,3})?\d{0,3}\*{4}\d{0,4}( x\*{3})?(@\*{4})?$`.
fn is_masked(text: &str) -> bool {
    let text = KEPT_SCHEMES
        .iter()
        .find_map(|scheme| text.strip_prefix(scheme))
        .unwrap_or(text);
    let text = text.strip_suffix(HOST_MASK).unwrap_or(text);
    let text = text.strip_suffix(EXTENSION_MASK).unwrap_or(text);
    let Some((head, tail)) = text.split_once(MASK) else {
        return false;
    };
    let (head, head_len) = match head.strip_prefix('+') {
        Some(head) => (head, 1..=6),
        None => (head, 0..=3),
    };
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    head_len.contains(&head.len()) && tail.len() <= 4 && digits(head) && digits(tail)
}

/// The numbers of a field that holds several, each of at least seven digits; `None` if it is one number.
pub(crate) fn listed_numbers(text: &str) -> Option<Vec<&str>> {
    let delimiter = |c| matches!(c, ',' | ';' | '/' | '|');
    if !text.contains(delimiter) && find_or(text).is_none() {
        return None;
    }
    let mut numbers = Vec::new();
    for part in text
        .trim_matches(|c| delimiter(c) || c == ' ')
        .split(delimiter)
    {
        let mut rest = part;
        while let Some(at) = find_or(rest) {
            let (number, after) = rest.split_at_checked(at)?;
            numbers.push(number.trim());
            rest = after.get(" or ".len()..)?;
        }
        numbers.push(rest.trim());
    }
    let several = numbers.len() > 1
        && numbers
            .iter()
            .all(|number| listed_digits(number) >= MIN_LISTED_DIGITS);
    several.then_some(numbers)
}

/// Where the word "or" stands between spaces.
fn find_or(text: &str) -> Option<usize> {
    text.as_bytes()
        .windows(4)
        .position(|window| window.eq_ignore_ascii_case(b" or "))
}

/// How many digits a part of a list has, its host aside. A URI parameter (`tag=1234567`) is no number.
fn listed_digits(part: &str) -> usize {
    let number = part.split_once('@').map_or(part, |(user, _)| user);
    if number.contains('=') {
        0
    } else {
        number.bytes().filter(u8::is_ascii_digit).count()
    }
}

/// Appends the masked form of one number.
fn mask_one(text: &str, out: &mut String) {
    let Some(address) = Address::parse(text) else {
        out.push_str(MASK);
        return;
    };
    out.push_str(address.scheme);
    match address.number {
        Some(number) => number.mask(out),
        None => out.push_str(MASK),
    }
    if address.has_extension {
        out.push_str(EXTENSION_MASK);
    }
    if address.has_host {
        out.push_str(HOST_MASK);
    }
}

/// What a field that addresses one party says, taken apart.
#[derive(Clone, Copy)]
pub(crate) struct Address<'t> {
    /// The kept scheme with its colon, or nothing.
    scheme: &'static str,
    /// What stands for the party: after the scheme, before `@` and parameters.
    pub(crate) user: &'t str,
    /// The number, if the user is one.
    pub(crate) number: Option<Number>,
    /// Whether extension or post-dial digits follow.
    pub(crate) has_extension: bool,
    has_host: bool,
}

impl<'t> Address<'t> {
    /// Takes a folded, trimmed field apart; `None` if its quotes or brackets are broken.
    pub(crate) fn parse(text: &'t str) -> Option<Self> {
        let (scheme, rest) = split_scheme(without_display_name(text)?);
        let (rest, host) = match rest.split_once('@') {
            Some((user, host)) => (user, Some(host)),
            None => (rest, None),
        };
        let rest = rest.split_once('?').map_or(rest, |(path, _headers)| path);
        let (user, user_parameters) = split_parameters(rest);
        let host_parameters = host
            .and_then(|host| host.split_once(';'))
            .map_or("", |(_, parameters)| parameters);
        let mut has_extension =
            names_extension(user_parameters) || names_extension(host_parameters);
        let number = Number::parse(user, &mut has_extension);
        Some(Self {
            scheme,
            user,
            number,
            has_extension,
            has_host: host.is_some(),
        })
    }
}

/// Only what is inside `<>`, where there is a display name (RFC 3261 §20.10).
fn without_display_name(text: &str) -> Option<&str> {
    let after_name = match text.strip_prefix('"') {
        Some(quoted) => {
            let mut escaped = false;
            let close = quoted.find(|c| {
                let closes = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                closes
            })?;
            let (name, rest) = (quoted.get(..close)?, quoted.get(close + 1..)?);
            if rest.trim().is_empty() {
                return Some(name.trim());
            }
            rest
        }
        None => text,
    };
    match after_name.split_once('<') {
        Some((_, inner)) => inner.split_once('>').map(|(address, _)| address.trim()),
        None => Some(text),
    }
}

/// The scheme to keep, and what follows the scheme.
fn split_scheme(text: &str) -> (&'static str, &str) {
    let after = |scheme: &str| {
        let (head, rest) = text.split_at_checked(scheme.len())?;
        head.eq_ignore_ascii_case(scheme)
            .then(|| rest.strip_prefix("//").unwrap_or(rest).trim_start())
    };
    if let Some(rest) = DROPPED_SCHEMES.into_iter().find_map(after) {
        return ("", rest);
    }
    KEPT_SCHEMES
        .into_iter()
        .find_map(|scheme| after(scheme).map(|rest| (scheme, rest)))
        .unwrap_or(("", text))
}

/// Splits URI parameters off. A parameter begins with a letter; `;` before a digit is a pause in a dial string.
fn split_parameters(text: &str) -> (&str, &str) {
    for (at, _) in text.match_indices(';') {
        let (user, parameters) = (
            text.get(..at).unwrap_or(""),
            text.get(at + 1..).unwrap_or(""),
        );
        let mut letters = parameters
            .trim_start()
            .chars()
            .map(|c| c.is_ascii_alphabetic().then_some(c));
        match (letters.next().flatten(), letters.next().flatten()) {
            // ";p204" is a pause.
            (None, _) | (Some('p' | 'P' | 'w' | 'W'), None) => {}
            _ => return (user, parameters),
        }
    }
    (text, "")
}

/// Whether one of the parameters is an extension: `ext=42` (RFC 3966 §5.3), `ext 42`, `x42`.
fn names_extension(parameters: &str) -> bool {
    !parameters.is_empty()
        && parameters.split(';').any(|parameter| {
            let name = parameter
                .split(|c: char| !c.is_ascii_alphabetic() && c != ' ')
                .next()
                .unwrap_or("")
                .trim();
            let named = EXTENSION_WORDS
                .iter()
                .any(|word| word.eq_ignore_ascii_case(name));
            named && parameter.bytes().any(|b| b.is_ascii_digit())
        })
}

/// What introduces an extension, longer words before those they end with.
const EXTENSION_WORDS: [&str; 4] = ["extension", "extn", "ext", "x"];

/// A telephone number's digits.
#[derive(Clone, Copy)]
pub(crate) struct Number {
    /// ASCII digits, the international prefix dropped.
    digits: [u8; MAX_DIGITS],
    len: usize,
    country_code_len: usize,
}

impl Number {
    /// Country code (if recognised) and subscriber number.
    pub(crate) fn digits(&self) -> &[u8] {
        self.digits.get(..self.len).unwrap_or(&[])
    }

    /// The country code, or nothing if the number doesn't say.
    fn country_code(&self) -> &[u8] {
        self.digits.get(..self.country_code_len).unwrap_or(&[])
    }

    /// The digits after the country code.
    pub(crate) fn subscriber(&self) -> &[u8] {
        self.digits
            .get(self.country_code_len..self.len)
            .unwrap_or(&[])
    }

    /// Whether the number told its country code.
    pub(crate) fn is_international(&self) -> bool {
        self.country_code_len > 0
    }

    /// Parses a dial string; `None` if it is no telephone number.
    fn parse(text: &str, has_extension: &mut bool) -> Option<Self> {
        if text.len() > MAX_DIAL_STRING {
            return None;
        }
        let mut text = without_feature_codes(text.trim())?;
        while let Some(number) = without_extension(text) {
            *has_extension = true;
            text = number;
        }
        let text = text.trim_end_matches([' ', ',', ';', '.', '#', '|']);
        if is_ssn_shaped(text) {
            return None;
        }
        let mut dialed = Dialed::default();
        let (mut rest, mut plus) = match text.get(..3) {
            // A plus sign inside a URI (RFC 3986 §2.1).
            Some(escaped) if escaped.eq_ignore_ascii_case("%2B") => (text.get(3..)?, true),
            _ => (text, false),
        };
        let mut letters = false;
        while let Some(c) = rest.chars().next() {
            let after = rest.get(c.len_utf8()..)?;
            rest = after;
            match c {
                '0'..='9' => dialed.push(u8::try_from(c).ok()?)?,
                '+' if !plus && dialed.len == 0 => plus = true,
                '(' if (plus || dialed.has_exit_code()) && dialed.ends_country_code() => {
                    // "+44 (0)20": the trunk prefix is dialed at home only.
                    rest = after_trunk_prefix(after).unwrap_or(after);
                }
                ' ' | '-' | '.' | '(' | ')' | '/' | '[' | ']' | '_' | '\t' => {}
                c if c.is_ascii_alphabetic() && dialed.len >= 3 => {
                    letters = true;
                    dialed.push(keypad_digit(c)?)?;
                }
                _ => return None,
            }
        }
        dialed.into_number(plus, letters)
    }

    /// Appends the masked form: the country code, up to three digits, the stars, up to four digits.
    fn mask(&self, out: &mut String) {
        let subscriber = self.subscriber();
        let shown = if subscriber.len() >= 6 {
            subscriber.len() - 4
        } else {
            0
        };
        let tail = shown.min(4);
        let head = (shown - tail).min(3);
        if shown > 0 && self.is_international() {
            out.push('+');
            push_digits(out, self.country_code());
        }
        push_digits(out, subscriber.get(..head).unwrap_or(&[]));
        out.push_str(MASK);
        push_digits(
            out,
            subscriber.get(subscriber.len() - tail..).unwrap_or(&[]),
        );
    }
}

fn push_digits(out: &mut String, digits: &[u8]) {
    out.extend(digits.iter().copied().map(char::from));
}

/// The digits of a dial string as they are read, with the `00` that may stand before a country code.
#[derive(Default)]
struct Dialed {
    digits: [u8; MAX_DIGITS + 2],
    len: usize,
}

impl Dialed {
    /// `None` when there are more digits than any number has.
    fn push(&mut self, digit: u8) -> Option<()> {
        *self.digits.get_mut(self.len)? = digit;
        self.len += 1;
        Some(())
    }

    fn as_slice(&self) -> &[u8] {
        self.digits.get(..self.len).unwrap_or(&[])
    }

    fn has_exit_code(&self) -> bool {
        self.as_slice().starts_with(b"00")
    }

    /// Whether exactly a country code was read so far.
    fn ends_country_code(&self) -> bool {
        let digits = self.as_slice();
        let digits = digits.strip_prefix(b"00").unwrap_or(digits);
        country_code_len(digits) == Some(digits.len())
    }

    fn into_number(self, plus: bool, letters: bool) -> Option<Number> {
        let (digits, international) = match self.as_slice() {
            [] => return None,
            digits if plus => (digits, true),
            [b'0', b'0', digits @ ..] => (digits, true),
            digits => (digits, false),
        };
        let country_code_len = if international {
            country_code_len(digits)?
        } else {
            0
        };
        // A card number typed into the phone field is shorter than sixteen digits at times.
        let card = !international && !letters && digits.len() >= 13 && passes_luhn(digits);
        if card || country_code_len >= digits.len() {
            return None;
        }
        let mut number = Number {
            digits: [0; MAX_DIGITS],
            len: digits.len(),
            country_code_len,
        };
        number
            .digits
            .get_mut(..digits.len())?
            .copy_from_slice(digits);
        Some(number)
    }
}

/// What follows `0)`, the rest of a trunk prefix in brackets.
fn after_trunk_prefix(text: &str) -> Option<&str> {
    text.trim_start()
        .strip_prefix('0')?
        .trim_start()
        .strip_prefix(')')
}

/// Drops leading feature codes (`*67`, `#31#`, `*31#`); `None` if what begins like one is none.
fn without_feature_codes(mut text: &str) -> Option<&str> {
    while text.starts_with(['*', '#']) {
        let code = text.strip_prefix("*#").or_else(|| text.get(1..))?;
        let digits = code.bytes().take_while(u8::is_ascii_digit).count();
        let closed = code
            .as_bytes()
            .get(digits)
            .is_some_and(|b| matches!(b, b'#' | b'*'));
        let rest = match digits {
            1..=3 if closed => code.get(digits + 1..)?,
            2.. if text.starts_with('*') => code.get(2..)?,
            _ => return None,
        };
        text = rest.trim_start_matches([' ', '-', '.']);
    }
    Some(text)
}

/// The number before an extension or post-dial digits; `None` if there are none.
fn without_extension(text: &str) -> Option<&str> {
    before_marked_extension(text).or_else(|| before_post_dial(text))
}

/// `415-555-0132 ext. 99`, `4155550132x99`, `4155550132 #99`.
fn before_marked_extension(text: &str) -> Option<&str> {
    let text = text.trim_end_matches(['#', ' ', '.', ')', ']']);
    let marked = text.trim_end_matches(|c: char| c.is_ascii_digit());
    if marked.len() == text.len() {
        return None;
    }
    let marked = marked.trim_end_matches([' ', '.', ':', '=', '-']);
    let before = match marked.strip_suffix('#') {
        Some(before) => before,
        None => EXTENSION_WORDS.into_iter().find_map(|word| {
            let (before, found) = marked.split_at_checked(marked.len().checked_sub(word.len())?)?;
            // A letter before it makes it part of a vanity number.
            let whole = !before.ends_with(|c: char| c.is_alphabetic());
            (whole && found.eq_ignore_ascii_case(word)).then_some(before)
        })?,
    };
    has_digit(before).then(|| before.trim_end_matches([' ', ',', ';', '(', '[', '-', '.']))
}

/// `4155550132,,204#`, `4155550132p204`: pauses, then fewer than seven digits.
fn before_post_dial(text: &str) -> Option<&str> {
    let pause = |c| matches!(c, ',' | ';' | 'p' | 'P' | 'w' | 'W');
    let dialed = |c: char| c.is_ascii_digit() || pause(c) || matches!(c, '#' | '*' | ' ');
    let suffix = text.trim_end_matches(dialed).len();
    let (at, _) = text.match_indices(pause).find(|&(at, _)| {
        let before = text.get(..at).unwrap_or("");
        at >= suffix && has_digit(before) && !before.ends_with(|c: char| c.is_alphabetic())
    })?;
    let (number, post_dial) = text.split_at_checked(at)?;
    let digits = post_dial.bytes().filter(u8::is_ascii_digit).count();
    (1..MIN_LISTED_DIGITS)
        .contains(&digits)
        .then(|| number.trim_end())
}

fn has_digit(text: &str) -> bool {
    text.bytes().any(|b| b.is_ascii_digit())
}

/// `123-45-6789`, the way a US social security number is written.
fn is_ssn_shaped(text: &str) -> bool {
    text.len() == 11
        && text.bytes().enumerate().all(|(at, b)| match at {
            3 | 6 => b == b'-',
            _ => b.is_ascii_digit(),
        })
}

/// The check of card numbers (ISO/IEC 7812-1 annex B).
fn passes_luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, digit)| {
            let value = u32::from(digit.wrapping_sub(b'0'));
            match at % 2 {
                0 => value,
                _ if value > 4 => value * 2 - 9,
                _ => value * 2,
            }
        })
        .sum();
    sum.is_multiple_of(10)
}

/// The key of a telephone keypad that carries a letter (ITU-T E.161).
fn keypad_digit(letter: char) -> Option<u8> {
    Some(match letter.to_ascii_uppercase() {
        'A'..='C' => b'2',
        'D'..='F' => b'3',
        'G'..='I' => b'4',
        'J'..='L' => b'5',
        'M'..='O' => b'6',
        'P'..='S' => b'7',
        'T'..='V' => b'8',
        'W'..='Z' => b'9',
        _ => return None,
    })
}
