//! What holds digits and clearly is no telephone number: UUIDs, hex ids, IP addresses, dates.

use std::net::Ipv6Addr;

/// Whether the whole text is a UUID, an IP address (with a port or without) or a date. A hex id is none of these: where
/// a number is expected, letters and digits may well be a user's name.
pub(super) fn is_other_than_number(text: &str) -> bool {
    let text = text.trim();
    let bytes = text.as_bytes();
    let len = uuid_len(bytes)
        .or_else(|| date_len(bytes))
        .or_else(|| ipv4_len(bytes))
        .unwrap_or(0);
    match text.get(len..) {
        Some("") => true,
        Some(rest) if len > 0 => rest
            .strip_prefix(':')
            .is_some_and(|port| port.len() <= 5 && port.bytes().all(|b| b.is_ascii_digit())),
        _ => text.parse::<Ipv6Addr>().is_ok(),
    }
}

/// How many of the bytes are one of them, beginning at the start of a word; `None` if they begin otherwise.
pub(super) fn opaque_len(bytes: &[u8]) -> Option<usize> {
    uuid_len(bytes)
        .or_else(|| date_len(bytes))
        .or_else(|| ipv4_len(bytes))
        .or_else(|| hex_id_len(bytes))
        .or_else(|| ipv6_len(bytes))
}

fn ends_word(bytes: &[u8], at: usize) -> bool {
    !bytes
        .get(at)
        .is_some_and(|b| b.is_ascii_alphanumeric() || !b.is_ascii())
}

/// Whether a UUID stands at the start.
pub(super) fn is_uuid_at(bytes: &[u8]) -> bool {
    uuid_len(bytes).is_some()
}

/// RFC 9562 §4.
fn uuid_len(bytes: &[u8]) -> Option<usize> {
    let uuid = bytes.get(..36)?;
    let shaped = uuid.iter().enumerate().all(|(at, b)| match at {
        8 | 13 | 18 | 23 => *b == b'-',
        _ => b.is_ascii_hexdigit(),
    });
    (shaped && ends_word(bytes, 36)).then_some(36)
}

/// A word of hex digits: long with letters among them, or shorter without room for a number. Up to two letters may stand
/// before a long one (Twilio's `RE...` identifiers).
fn hex_id_len(bytes: &[u8]) -> Option<usize> {
    let len = bytes
        .iter()
        .take_while(|b| b.is_ascii_alphanumeric())
        .count();
    if len < 8 || !ends_word(bytes, len) {
        return None;
    }
    let word = bytes.get(..len)?;
    let hex = |word: &[u8]| word.iter().all(u8::is_ascii_hexdigit);
    let letters = word.iter().filter(|b| b.is_ascii_alphabetic()).count();
    let digits = word
        .split(|b| !b.is_ascii_digit())
        .map(<[u8]>::len)
        .max()
        .unwrap_or(0);
    let long = len >= 16
        && letters >= 3
        && (hex(word) || word.get(2..).is_some_and(|rest| len == 34 && hex(rest)));
    // The counter that ends an Asterisk channel's name is too small for a number.
    let counter = len == 8 && word.starts_with(b"0000") && hex(word);
    let short = letters > 0 && digits < super::MIN_DIGITS && hex(word);
    (long || short || counter).then_some(len)
}

/// Four parts of up to 255, between dots or, as in host names and SIP parameters, underscores.
fn ipv4_len(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    let mut separator = None;
    for part in 0..4 {
        if part > 0 {
            let b = *bytes.get(at)?;
            if !matches!(b, b'.' | b'_') || *separator.get_or_insert(b) != b {
                return None;
            }
            at += 1;
        }
        let (value, len) = decimal(bytes.get(at..)?, 3)?;
        if value > 255 {
            return None;
        }
        at += len;
    }
    let continues =
        bytes.get(at) == separator.as_ref() && bytes.get(at + 1).is_some_and(u8::is_ascii_digit);
    (ends_word(bytes, at) && !continues).then_some(at)
}

fn ipv6_len(bytes: &[u8]) -> Option<usize> {
    let address = |b: &u8| b.is_ascii_hexdigit() || matches!(b, b':' | b'.');
    // The longest has 45 characters; more are not looked at, since this is asked of every word.
    let len = bytes.iter().take(46).take_while(|b| address(b)).count();
    let text = std::str::from_utf8(bytes.get(..len)?).ok()?;
    let colons = text.bytes().filter(|b| *b == b':').count();
    (colons >= 3 && ends_word(bytes, len) && text.parse::<Ipv6Addr>().is_ok()).then_some(len)
}

/// A date, and the time that follows it: `2018-01-11 11:25:44.534`, `2018/01/11`, `20180111T112544Z`, `11/01/2018`,
/// `11.01.2018`.
fn date_len(bytes: &[u8]) -> Option<usize> {
    let (first, first_len) = decimal(bytes, 8)?;
    let date = match first_len {
        8 if bytes.get(8) == Some(&b'T') => {
            let plausible = plausible_date(first / 10_000, first / 100 % 100, first % 100);
            return plausible.then(|| 9 + word_len(bytes.get(9..)));
        }
        4 => {
            let separator = *bytes.get(4).filter(|b| matches!(b, b'-' | b'/' | b'.'))?;
            let (month, month_len) = decimal(bytes.get(5..)?, 2)?;
            let at = 5 + month_len;
            let (day, day_len) = decimal(bytes.get(at + 1..)?, 2)?;
            let shaped = month_len == 2 && day_len == 2 && bytes.get(at) == Some(&separator);
            (shaped && plausible_date(first, month, day)).then_some(at + 1 + day_len)?
        }
        1 | 2 => {
            let separator = *bytes.get(first_len).filter(|b| matches!(b, b'/' | b'.'))?;
            let (second, second_len) = decimal(bytes.get(first_len + 1..)?, 2)?;
            let at = first_len + 1 + second_len;
            let (year, year_len) = decimal(bytes.get(at + 1..)?, 4)?;
            let shaped = year_len == 4 && bytes.get(at) == Some(&separator);
            let plausible =
                plausible_date(year, first, second) || plausible_date(year, second, first);
            (shaped && plausible).then_some(at + 1 + year_len)?
        }
        _ => return None,
    };
    // A longer number that begins like a date is none.
    let next_digit = bytes.get(date + 1).is_some_and(u8::is_ascii_digit);
    match bytes.get(date) {
        Some(b'-' | b'.') if next_digit => None,
        Some(b' ' | b'T') => {
            Some(time_len(bytes.get(date + 1..)).map_or(date, |len| date + 1 + len))
        }
        _ => ends_word(bytes, date).then_some(date),
    }
}

/// `11:25:44.534+01:00`, after a date.
fn time_len(bytes: Option<&[u8]>) -> Option<usize> {
    let bytes = bytes?;
    let (_, hours) = decimal(bytes, 2)?;
    (hours == 2 && bytes.get(2) == Some(&b':')).then_some(())?;
    let part = |b: &&u8| b.is_ascii_digit() || matches!(**b, b':' | b'.');
    let clock = bytes.iter().take_while(part).count();
    let zone = bytes.get(clock..)?;
    let zone = match zone.first() {
        Some(b'Z') => 1,
        Some(b'+' | b'-') => {
            let len = 1 + zone.iter().skip(1).take_while(part).count();
            if len <= 6 { len } else { 0 }
        }
        _ => 0,
    };
    // A clock is "11:25" to "11:25:44.123456789".
    (clock <= 18).then_some(clock + zone)
}

fn word_len(bytes: Option<&[u8]>) -> usize {
    bytes.map_or(0, |bytes| {
        bytes
            .iter()
            .take_while(|b| b.is_ascii_digit() || **b == b'Z')
            .count()
            .min(7)
    })
}

fn plausible_date(year: u32, month: u32, day: u32) -> bool {
    (1900..=2100).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day)
}

/// The number at the start and its length, which `max` bounds.
fn decimal(bytes: &[u8], max: usize) -> Option<(u32, usize)> {
    let len = bytes.iter().take_while(|b| b.is_ascii_digit()).count();
    if len == 0 || len > max {
        return None;
    }
    let value = bytes.iter().take(len).fold(0_u32, |value, b| {
        value * 10 + u32::from(b.wrapping_sub(b'0'))
    });
    Some((value, len))
}

#[cfg(test)]
mod tests {
    use super::{is_other_than_number, opaque_len};

    #[test]
    fn what_is_clearly_no_number() {
        for text in [
            "b4300942-e809-4393-99cb-d39a1bc3c219",
            "12345678-1234-1234-1234-123456789012",
            "10.10.10.204",
            "10_10_10_204",
            "2001:db8:85a3:0:0:8a2e:370:7334",
            "2018-01-11",
            "2018-01-11 11:25:44",
            "2018-01-11T11:25:44.534355+01:00",
            "20180111T112544Z",
            "2018/01/11",
            "11/01/2018",
            "1.11.2018",
        ] {
            assert_eq!(opaque_len(text.as_bytes()), Some(text.len()), "{text}");
            assert!(is_other_than_number(text), "{text}");
        }
        assert!(is_other_than_number("10.10.10.204:5060") && is_other_than_number("::1"));
        assert_eq!(opaque_len(b"10.10.10.204:5060"), Some(12));
    }

    #[test]
    fn hex_ids_are_no_numbers_in_text_only() {
        for text in [
            "818e26f805701988c1a330175d7d2629",
            "CA557ce644e5ab84fa21cc21112e22c485",
            "RE557ce644e5ab84fa21cc21112e22c485",
            "f25afe20",
            "0000001a",
            "00000013",
        ] {
            assert_eq!(opaque_len(text.as_bytes()), Some(text.len()), "{text}");
            assert!(!is_other_than_number(text), "{text}");
        }
    }

    #[test]
    fn what_may_be_a_number() {
        for text in [
            "4155550132",
            "a4155550132",
            "415.555.0132",
            "01.42.68.53.00",
            "2018-01-1155",
            "2018-01-11-5550132",
            "1.212.555.0132",
            "1001@10.10.10.204",
            "020 7946 0958",
            "12345678",
            "1234567890123456",
            "99999999-1234",
        ] {
            assert_eq!(opaque_len(text.as_bytes()), None, "{text}");
            assert!(!is_other_than_number(text), "{text}");
        }
    }
}
