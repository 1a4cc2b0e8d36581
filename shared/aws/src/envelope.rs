//! What SQS cannot carry as it is, carried all the same.
//!
//! SQS refuses some characters of Unicode in a body (or, as older documents have it, replaces them),
//! and a group of other than 1 to 128 printable ASCII characters
//! (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html>).
//! What a source sends may hold any of them. A body and group that SQS takes go out unchanged; else
//! the body becomes `~`, the group, `~|`, the body, where `~` is written `~~` and what is refused
//! `~` with its code in hexadecimal digits and `;`. JSON never starts with `~`. Where that grows over
//! a message's limit, it is `~}` and the same, deflated, in base64.

use std::borrow::Cow;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use miniz_oxide::{deflate, inflate};
use ring::digest::{SHA256, digest};
use ringfence_ports::MAX_MESSAGE_BYTES;

/// A message as SQS gets it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Sealed<'a> {
    pub(crate) body: Cow<'a, str>,
    /// `MessageGroupId`.
    pub(crate) group: Cow<'a, str>,
}

const MAX_GROUP: usize = 128;

/// Starts a deflated one. No escape sequence is written so.
const DEFLATED: &str = "~}";

/// No message needs more: every character of body and group escaped.
const MAX_INFLATED: usize = 8 * MAX_MESSAGE_BYTES;

pub(crate) fn sealed<'a>(body: &'a str, group: &'a str) -> Sealed<'a> {
    let group_fits = group.len() <= MAX_GROUP && group.bytes().all(|b| b.is_ascii_graphic());
    let body_fits = !body.is_empty() && !body.starts_with('~') && body.chars().all(is_carried);
    let id = if group_fits {
        Cow::Borrowed(group)
    } else {
        Cow::Owned(URL_SAFE_NO_PAD.encode(digest(&SHA256, group.as_bytes())))
    };
    if group_fits && body_fits {
        return Sealed {
            body: Cow::Borrowed(body),
            group: id,
        };
    }
    let mut whole = String::with_capacity(body.len() + group.len() + 16);
    whole.push('~');
    escape(group, &mut whole);
    whole.push_str("~|");
    escape(body, &mut whole);
    if whole.len() > MAX_MESSAGE_BYTES {
        let deflated = deflate::compress_to_vec(whole.as_bytes(), 1);
        whole = format!("{DEFLATED}{}", STANDARD_NO_PAD.encode(deflated));
    }
    Sealed {
        body: Cow::Owned(whole),
        group: id,
    }
}

/// Body and group of what [`sealed`] made; the group comes from the body where it did not fit.
/// `None`: it is none of ours.
pub(crate) fn opened(body: String, group: String) -> Option<(String, String)> {
    if let Some(deflated) = body.strip_prefix(DEFLATED) {
        let deflated = STANDARD_NO_PAD.decode(deflated).ok()?;
        let whole = inflate::decompress_to_vec_with_limit(&deflated, MAX_INFLATED).ok()?;
        return parts(&String::from_utf8(whole).ok()?);
    }
    if body.starts_with('~') {
        parts(&body)
    } else {
        Some((body, group))
    }
}

fn parts(whole: &str) -> Option<(String, String)> {
    let (group, rest) = unescape(whole.strip_prefix('~')?)?;
    let (body, rest) = unescape(rest?)?;
    rest.is_none().then_some((body, group))
}

/// `#x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF`
fn is_carried(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
}

fn escape(text: &str, into: &mut String) {
    for c in text.chars() {
        match c {
            '~' => into.push_str("~~"),
            c if is_carried(c) => into.push(c),
            c => {
                // Writing to a String cannot fail.
                let _ = write!(into, "~{:x};", u32::from(c));
            }
        }
    }
}

/// The text up to `~|` or the end, and what follows `~|` if it is there.
fn unescape(text: &str) -> Option<(String, Option<&str>)> {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('~') {
        plain.push_str(before);
        if let Some(after) = after.strip_prefix('~') {
            plain.push('~');
            rest = after;
        } else if let Some(after) = after.strip_prefix('|') {
            return Some((plain, Some(after)));
        } else {
            let (code, after) = after.split_once(';')?;
            plain.push(char::from_u32(u32::from_str_radix(code, 16).ok()?)?);
            rest = after;
        }
    }
    plain.push_str(rest);
    Some((plain, None))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_fits_goes_unchanged() {
        let body = "{\"t\":\"Zoë 🎧 ~\"}";
        let sealed = sealed(body, "acc_1/cdr");
        assert_eq!(
            sealed,
            Sealed {
                body: body.into(),
                group: "acc_1/cdr".into()
            }
        );
        assert!(matches!(sealed.body, Cow::Borrowed(_)));
    }

    #[test]
    fn what_is_none_of_ours_does_not_open() {
        for body in [
            "~",
            "~a",
            "~a~|b~|c",
            "~a~|~d800;",
            "~a~|~zz;",
            "~a~|~1",
            "~}",
            "~}!",
            "~}AAAA",
        ] {
            assert_eq!(opened(body.to_owned(), String::new()), None, "{body}");
        }
    }

    #[test]
    fn the_largest_body_fits_whatever_its_group() {
        let body = format!("\"{}\"", "ü".repeat((MAX_MESSAGE_BYTES - 2) / 2));
        let sent = sealed(&body, "группа");
        assert!(sent.body.len() < MAX_MESSAGE_BYTES);
        let back = opened(sent.body.into_owned(), sent.group.into_owned());
        assert!(back == Some((body, "группа".to_owned())));
    }

    proptest! {
        #[test]
        fn everything_comes_back_and_only_what_sqs_takes_goes_out(
            body in "(~|\\||[\u{0}-\u{20}]|[\u{fffa}-\u{10003}]|.){0,40}",
            group in "(~|\\||[\u{0}-\u{20}]|[a-z/_]{0,20}|é){1,12}",
        ) {
            let Sealed { body: sent, group: id } = sealed(&body, &group);
            prop_assert!(!sent.is_empty() && sent.chars().all(is_carried));
            prop_assert!((1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic()) || group.is_empty());
            let back = opened(sent.into_owned(), id.into_owned());
            prop_assert_eq!(back, Some((body, group)));
        }
    }
}
