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
    /// FreeSWITCH, `mod_json_cdr`.
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
