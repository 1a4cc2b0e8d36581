//! Events as known voice platforms send them, turned into ours.
//!
//! Each parser takes a whole request and gives one result an event, so that one bad record is
//! refused alone. What has no place in our terms is kept under `data.source`, as it was sent. Event
//! ids are made of what the platform says, never of when or in which order it came: the same post
//! again gives the same events again, and they are delivered once.

use jiff::Timestamp;

use super::error::Batch;

pub mod asterisk;
pub mod connect;
pub mod freeswitch;
mod record;
pub mod twilio;

/// A request from a platform, after authentication and the check of its size.
#[derive(Clone, Copy)]
pub struct Post<'a> {
    /// The `Content-Type` header, if there is one.
    pub content_type: Option<&'a str>,
    /// The query string, without `?`, still percent-encoded.
    pub query: Option<&'a str>,
    /// The body.
    pub body: &'a [u8],
    /// The account that the events belong to.
    pub account_id: &'a str,
    /// When it was received.
    pub received_at: Timestamp,
}

/// A platform whose format is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Platform {
    /// `FreeSWITCH`, `mod_json_cdr`.
    FreeSwitch,
    /// Twilio voice, status and recording callbacks.
    Twilio,
    /// Amazon Connect contact records and contact events.
    Connect,
    /// Asterisk CDRs.
    Asterisk,
}

impl Platform {
    /// Every platform.
    pub const ALL: [Self; 4] = [
        Self::FreeSwitch,
        Self::Twilio,
        Self::Connect,
        Self::Asterisk,
    ];

    /// The last segment of its ingest path: `/v1/accounts/{account}/ingest/{name}`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FreeSwitch => "freeswitch",
            Self::Twilio => "twilio",
            Self::Connect => "connect",
            Self::Asterisk => "asterisk",
        }
    }

    /// Reads a request of this platform. An empty list is no fault: a platform tells things too
    /// that are no event in our terms (Twilio's `queued`, Connect's `QUEUED`).
    ///
    /// # Errors
    /// When the request as a whole cannot be read.
    pub fn parse(self, post: &Post<'_>) -> Batch {
        match self {
            Self::FreeSwitch => freeswitch::parse(post),
            Self::Twilio => twilio::parse(post),
            Self::Connect => connect::parse(post),
            Self::Asterisk => asterisk::parse(post),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::event::samples;

    const CONTENT_TYPES: [Option<&str>; 6] = [
        None,
        Some("application/json"),
        Some("application/x-www-form-urlencoded"),
        Some("application/x-www-form-base64-encoded"),
        Some("text/csv"),
        Some("application/x-ndjson"),
    ];

    #[test]
    fn the_same_post_again_is_the_same_events_again() {
        for name in samples::names()
            .iter()
            .filter(|name| samples::platform(name).is_some())
        {
            let ids = |batch: Batch| -> Vec<String> {
                batch
                    .expect("read")
                    .into_iter()
                    .flatten()
                    .map(|event| event.id)
                    .collect()
            };
            let first = ids(samples::parse(name));
            assert_eq!(first, ids(samples::parse(name)), "{name}");
            let mut unique = first.clone();
            unique.sort();
            unique.dedup();
            assert_eq!(unique.len(), first.len(), "{name}");
        }
    }

    #[test]
    fn nothing_that_was_sent_is_dropped() {
        for (name, event) in samples::all() {
            if let Some(platform) = samples::platform(&name) {
                let kept = event
                    .data
                    .source
                    .as_ref()
                    .map(|source| &source.0[platform.as_str()]);
                assert!(
                    kept.is_some_and(|kept| kept.as_object().is_some_and(|map| !map.is_empty())),
                    "{name}"
                );
            }
        }
    }

    fn arbitrary_post(body: &[u8], kind: usize, query: &str) {
        for platform in Platform::ALL {
            let _ = platform.parse(&Post {
                content_type: CONTENT_TYPES[kind % CONTENT_TYPES.len()],
                query: Some(query),
                body,
                account_id: samples::ACCOUNT,
                received_at: samples::received_at(),
            });
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(
            body in proptest::collection::vec(any::<u8>(), 0..300),
            kind in 0usize..6,
            query in "[a-z=&%0-9/]{0,20}",
        ) {
            arbitrary_post(&body, kind, &query);
        }

        #[test]
        fn arbitrary_lines_never_panic(body in "[\"',=&%{}\\[\\]:a-c0-9 \\n.<>+-]{0,120}", kind in 0usize..6) {
            arbitrary_post(body.as_bytes(), kind, "tz=UTC");
        }

        /// A sample with some bytes changed: still never a panic, and what is read still checks.
        #[test]
        fn damaged_samples_never_panic(
            index in any::<prop::sample::Index>(),
            damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
            kind in 0usize..6,
        ) {
            let names = samples::names();
            let mut body = samples::read(&names[index.index(names.len())]);
            for (at, byte) in damage {
                let at = at.index(body.len());
                body[at] = byte;
            }
            arbitrary_post(&body, kind, "uuid=a_1");
        }
    }
}
