//! Ids: a prefix that says what it names, and a UUID of version 7 (RFC 9562 §5.7) as 32 hexadecimal
//! digits, so that ids of one kind sort by the time they were made.

use std::fmt::Write as _;

use jiff::Timestamp;
use ringfence_ports::Random;

/// What an id names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An agency, the owner of accounts: `agy_`.
    Agency,
    /// An account: `acc_`.
    Account,
    /// An API key (its public id, not the secret): `key_`.
    ApiKey,
    /// A delivery of one event to one callback: `dlv_`.
    Delivery,
    /// A background job: `job_`.
    Job,
    /// A signing secret of a callback: `sec_`.
    SigningSecret,
    /// A recording: `rec_`. Its time is when the recording began, not when it was registered.
    Recording,
    /// A link to a recording: `lnk_`.
    Link,
    /// An entry of the log of who listened: `lsn_`.
    Listen,
    /// A redaction of a recording: `red_`.
    Redaction,
    /// A notice to people: `ntc_`.
    Notice,
    /// A person: `usr_`.
    User,
    /// An access control group: `grp_`.
    Group,
    /// A team: `tea_`.
    Team,
    /// A session of somebody who logged in: `ses_`.
    Session,
    /// A legal hold: `hld_`.
    Hold,
    /// An export: `exp_`.
    Export,
    /// An event that Ringfence itself makes (test events, operational events): `evt_`.
    Event,
}

impl Kind {
    /// The prefix, with its underscore.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Agency => "agy_",
            Self::Account => "acc_",
            Self::ApiKey => "key_",
            Self::Delivery => "dlv_",
            Self::Job => "job_",
            Self::SigningSecret => "sec_",
            Self::Recording => "rec_",
            Self::Link => "lnk_",
            Self::Listen => "lsn_",
            Self::Redaction => "red_",
            Self::Notice => "ntc_",
            Self::User => "usr_",
            Self::Group => "grp_",
            Self::Team => "tea_",
            Self::Session => "ses_",
            Self::Hold => "hld_",
            Self::Export => "exp_",
            Self::Event => "evt_",
        }
    }

    /// Whether `text` is an id of this kind, in exactly the form made here.
    pub fn matches(self, text: &str) -> bool {
        text.strip_prefix(self.prefix()).is_some_and(|hex| {
            hex.len() == 32
                && hex
                    .bytes()
                    .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        })
    }
}

/// A new id.
pub fn new(kind: Kind, now: Timestamp, random: &dyn Random) -> String {
    let mut tail = [0; 10];
    random.fill(&mut tail);
    with_tail(kind, now, tail)
}

/// The id that `tail` determines at `now`: the same inputs give the same id.
pub fn with_tail(kind: Kind, now: Timestamp, tail: [u8; 10]) -> String {
    let millis = u64::try_from(now.as_millisecond()).unwrap_or(0) & 0xffff_ffff_ffff;
    let mut bytes = [0; 16];
    bytes[..6].copy_from_slice(&millis.to_be_bytes()[2..]);
    bytes[6..].copy_from_slice(&tail);
    bytes[6] = (bytes[6] & 0x0f) | 0x70;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let mut text = String::with_capacity(36);
    text.push_str(kind.prefix());
    write_hex(&mut text, &bytes);
    text
}

/// When an id was made, to the millisecond; `None` when it is not an id of `kind`.
pub fn time_of(kind: Kind, id: &str) -> Option<Timestamp> {
    if !kind.matches(id) {
        return None;
    }
    let hex = id.get(kind.prefix().len()..kind.prefix().len() + 12)?;
    let millis = i64::from_str_radix(hex, 16).ok()?;
    Timestamp::from_millisecond(millis).ok()
}

/// The smallest id of `kind` made at `at` or later: the start of a range by time.
pub fn floor(kind: Kind, at: Timestamp) -> String {
    let millis = u64::try_from(at.as_millisecond()).unwrap_or(0) & 0xffff_ffff_ffff;
    format!("{}{millis:012x}00000000000000000000", kind.prefix())
}

/// Lower-case hexadecimal of `bytes`.
pub fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    write_hex(&mut text, bytes);
    text
}

fn write_hex(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time_and_tell_it() {
        let early = Timestamp::from_millisecond(1_700_000_000_123).unwrap();
        let late = Timestamp::from_millisecond(1_700_000_000_124).unwrap();
        let a = with_tail(Kind::Delivery, early, [0xff; 10]);
        let b = with_tail(Kind::Delivery, late, [0; 10]);
        assert!(a < b);
        assert_eq!(time_of(Kind::Delivery, &a), Some(early));
        assert!(floor(Kind::Delivery, early) <= a && a < floor(Kind::Delivery, late));
        assert!(Kind::Delivery.matches(&a) && !Kind::Job.matches(&a));
        assert_eq!(time_of(Kind::Delivery, "dlv_zz"), None);
    }
}
