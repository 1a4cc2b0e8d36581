//! What a key says about its value: a telephone number, a time, a counter or nothing.
//!
//! The names are those of Twilio's form fields, `FreeSWITCH`'s `mod_json_cdr`, Amazon Connect's contact records and
//! Asterisk's CDRs; their words decide, so that spellings of other sources (`callerNumber`, `caller-number`) fall in place.

/// The key of a value and the key around it.
#[derive(Clone, Copy, Default)]
pub(super) struct KeyPath<'k> {
    parent: &'k str,
    key: &'k str,
}

impl<'k> KeyPath<'k> {
    pub(super) fn child(self, key: &'k str) -> Self {
        Self {
            parent: self.key,
            key,
        }
    }

    /// What the key says.
    pub(super) fn class(self) -> KeyClass {
        let mut class = KeyClass::of(self.key);
        // `{"CustomerEndpoint": {"Address": ...}}`, `{"from": {"value": ...}}`
        if !class.number && NEUTRAL.contains(&class.name.as_str()) {
            let parent = KeyClass::of(self.parent);
            class.number = parent.number || parent.words().any(|word| word == "endpoint");
        }
        class
    }
}

/// Keys that leave it to the key around them what they are.
const NEUTRAL: [&str; 13] = [
    "address",
    "value",
    "uri",
    "user",
    "id",
    "raw",
    "e164",
    "formatted",
    "national",
    "international",
    "text",
    "content",
    "display",
];

/// What a key says about its value. Most values only need to know whether they are a number; the rest is asked when a
/// value has so many digits that it matters.
#[derive(Default)]
pub(super) struct KeyClass {
    /// Lower case, words between underscores.
    name: String,
    /// The value is a number, or an address that holds one.
    pub(super) number: bool,
}

impl KeyClass {
    fn of(key: &str) -> Self {
        let mut class = Self {
            name: snake_case(key),
            number: false,
        };
        class.number = class.is_number();
        class
    }

    fn words(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.name.split('_').filter(|word| !word.is_empty())
    }

    fn last_word(&self) -> &str {
        self.words().next_back().unwrap_or("")
    }

    fn is_number(&self) -> bool {
        let last = self.last_word();
        if NUMBER.contains(&last) {
            let before = self.words().rev().nth(1).unwrap_or("");
            return last != "number" || !NUMBERED.contains(&before);
        }
        if NUMBER_ENDS.iter().any(|end| last.ends_with(end)) {
            return true;
        }
        if last == "address" {
            return self.words().any(|word| word == "endpoint");
        }
        if self.name.starts_with("sip_") && SIP_PARTS.contains(&last) {
            return true;
        }
        // "caller_id", "caller_id_name", "last_sent_callee_id_number", "remote_party_id"
        let pairs = self.words().zip(self.words().skip(1));
        let mut parties = pairs.filter(|pair| {
            matches!(
                pair,
                ("caller" | "callee" | "party" | "effective", "id" | "idnum")
                    | ("called" | "calling", "party")
            )
        });
        parties.next().is_some() && !matches!(last, "uuid" | "time" | "type")
    }

    /// The value is a point in time.
    fn is_time(&self) -> bool {
        let named =
            |word: &str| TIME.contains(&word) || TIME_ENDS.iter().any(|end| word.ends_with(end));
        !self.number && self.words().any(named)
    }

    /// The value counts bytes, packets, (micro)seconds...
    fn is_count(&self) -> bool {
        let last = self.last_word();
        let ends = COUNT_ENDS.iter().any(|end| last.ends_with(end));
        !self.number && (ends || self.words().any(|word| COUNT.contains(&word)))
    }

    /// The value identifies something.
    fn is_id(&self) -> bool {
        !self.number && ID.contains(&self.last_word())
    }

    /// Whether a string under the key is a number: always, or for a key that holds numbers and names, if it has digits
    /// and no letters.
    pub(super) fn names_number(&self, text: &str) -> bool {
        let has_digit = |text: &str| text.chars().any(char::is_numeric);
        if self.number {
            return has_digit(text);
        }
        let user = text.split_once('@').map_or(text, |(user, _)| user);
        MAYBE_NUMBER.contains(&self.last_word())
            && has_digit(user)
            && !user.chars().any(char::is_alphabetic)
    }

    /// Whether a value that is nothing but these digits is clearly no number under the key.
    pub(super) fn exempts(&self, digits: &str) -> bool {
        self.is_count() || (self.is_time() && is_plausible_time(digits))
    }

    /// Whether a decimal that begins with these digits is clearly no number under the key.
    pub(super) fn exempts_decimal(&self, whole: &str) -> bool {
        self.is_count() || (self.is_time() && is_plausible_epoch(whole))
    }

    /// Whether `1515666344.27`, the time and a counter, is clearly no number under the key (Asterisk's `uniqueid`).
    pub(super) fn exempts_unique_id(&self, seconds: &str) -> bool {
        self.is_id() && is_plausible_epoch(seconds)
    }
}

/// Last words of keys that hold a number.
const NUMBER: [&str; 45] = [
    "number",
    "numbers",
    "num",
    "caller",
    "callers",
    "callee",
    "calling",
    "called",
    "ani",
    "aniii",
    "rdnis",
    "dnis",
    "dnid",
    "dialed",
    "dialled",
    "destination",
    "phone",
    "phones",
    "tel",
    "telephone",
    "mobile",
    "cell",
    "fax",
    "msisdn",
    "from",
    "to",
    "src",
    "dst",
    "clid",
    "cid",
    "callerid",
    "calleeid",
    "calleridnum",
    "calleridname",
    "connectedlinenum",
    "did",
    "ddi",
    "e164",
    "exten",
    "recipient",
    "diversion",
    "forwardedfrom",
    "originator",
    "orig",
    "term",
];
/// What the last word ends with where words are written together.
const NUMBER_ENDS: [&str; 4] = ["number", "numbers", "phone", "msisdn"];
/// `number` after one of these is no telephone number.
const NUMBERED: [&str; 24] = [
    "state", "sequence", "seq", "serial", "version", "build", "order", "invoice", "ticket", "case",
    "page", "port", "frame", "packet", "row", "attempt", "retry", "batch", "issue", "room", "line",
    "track", "revision", "item",
];
/// Last words of `sip_*` keys that hold an address.
const SIP_PARTS: [&str; 8] = [
    "user", "uri", "from", "to", "stripped", "display", "identity", "number",
];
/// Last words of keys that hold a number or a name.
const MAYBE_NUMBER: [&str; 12] = [
    "user",
    "username",
    "uri",
    "contact",
    "display",
    "stripped",
    "address",
    "extension",
    "presence",
    "agent",
    "aor",
    "dest",
];
/// Words of keys that hold a point in time.
const TIME: [&str; 6] = ["at", "ts", "date", "times", "timestamps", "epochs"];
const TIME_ENDS: [&str; 4] = ["time", "stamp", "epoch", "datetime"];
/// Words of keys that hold a counter or a length of time.
const COUNT: [&str; 18] = [
    "byte",
    "bytes",
    "octet",
    "octets",
    "packet",
    "packets",
    "count",
    "counter",
    "counts",
    "ssrc",
    "accum",
    "duration",
    "durations",
    "ms",
    "millis",
    "micros",
    "seconds",
    "milliseconds",
];
const COUNT_ENDS: [&str; 5] = ["duration", "usec", "msec", "nsec", "sec"];
/// Last words of keys that hold an identifier.
const ID: [&str; 6] = ["id", "uniqueid", "linkedid", "guid", "callid", "tag"];

/// `CustomerEndpoint.Address`, `callerID` and `caller-id` as words between underscores.
fn snake_case(key: &str) -> String {
    let mut name = String::with_capacity(key.len() + 8);
    let mut chars = key.chars().peekable();
    let mut before = '_';
    while let Some(c) = chars.next() {
        if c.is_alphanumeric() {
            let acronym_ends =
                before.is_uppercase() && chars.peek().is_some_and(|next| next.is_lowercase());
            if c.is_uppercase() && (before.is_lowercase() || before.is_numeric() || acronym_ends) {
                name.push('_');
            }
            name.push(c.to_ascii_lowercase());
        } else {
            name.push('_');
        }
        before = c;
    }
    name
}

/// Whether digits are a time in seconds, milli-, micro- or nanoseconds since 1970, or a date and time without separators.
fn is_plausible_time(digits: &str) -> bool {
    let date = || {
        let part = |from: usize, to: usize| {
            digits
                .get(from..to)
                .and_then(|part| part.parse::<u32>().ok())
        };
        let within = |from, to, range: std::ops::RangeInclusive<u32>| {
            part(from, to).is_some_and(|n| range.contains(&n))
        };
        within(0, 4, 1970..=2100)
            && within(4, 6, 1..=12)
            && within(6, 8, 1..=31)
            && (digits.len() == 8
                || (within(8, 10, 0..=23) && within(10, 12, 0..=59) && within(12, 14, 0..=60)))
    };
    match digits.len() {
        10 | 13 | 16 | 19 => is_plausible_epoch(digits.get(..10).unwrap_or("")),
        8 | 14 => date(),
        _ => false,
    }
}

/// Whether ten digits are seconds since 1970 between 2000 and 2100.
pub(super) fn is_plausible_epoch(seconds: &str) -> bool {
    seconds.len() == 10
        && seconds
            .parse()
            .is_ok_and(|seconds: u64| (946_684_800..4_102_444_800).contains(&seconds))
}

#[cfg(test)]
mod tests {
    use super::{KeyClass, KeyPath, is_plausible_time, snake_case};

    #[test]
    fn words_of_a_key() {
        assert_eq!(
            snake_case("CustomerEndpoint.Address"),
            "customer_endpoint_address"
        );
        assert_eq!(snake_case("callerIDNumber"), "caller_id_number");
        assert_eq!(snake_case("Caller-ID"), "caller_id");
        assert_eq!(snake_case("AWSAccountId"), "aws_account_id");
        assert_eq!(snake_case("e164Number"), "e164_number");
    }

    #[test]
    fn keys_that_name_a_number() {
        for key in [
            "From",
            "To",
            "Called",
            "Caller",
            "ForwardedFrom",
            "src",
            "dst",
            "clid",
            "caller",
            "callee",
            "disnumber",
            "destnumber",
            "extnumber",
            "ani",
            "aniii",
            "rdnis",
            "dnis",
            "destination_number",
            "caller_id_number",
            "caller_id",
            "caller_id_name",
            "last_sent_callee_id_number",
            "number",
            "sip_from_user",
            "sip_from_user_stripped",
            "sip_to_uri",
            "sip_req_user",
            "sip_contact_uri",
            "sip_full_from",
            "sip_full_to",
            "sip_from_display",
            "CustomerEndpoint.Address",
            "phoneNumber",
            "caller_number",
            "tracking_number",
            "display_number",
            "digits_dialed",
        ] {
            assert!(KeyClass::of(key).number, "{key}");
        }
        for (parent, key) in [
            ("CustomerEndpoint", "Address"),
            ("from", "value"),
            ("caller", "id"),
        ] {
            assert!((KeyPath { parent, key }).class().number, "{parent}.{key}");
        }
    }

    #[test]
    fn keys_that_name_none() {
        for key in [
            "number_of_calls",
            "packet_count",
            "profile_index",
            "session_id",
            "sip_from_port",
            "sip_to_tag",
            "sip_from_host",
            "sip_contact_params",
            "state_number",
            "SequenceNumber",
            "from_time",
            "caller_id_type",
            "core-uuid",
            "source",
            "context",
            "FromZip",
            "CallSid",
            "sip_call_id",
            "call_timeout",
        ] {
            assert!(!KeyClass::of(key).number, "{key}");
        }
    }

    #[test]
    fn keys_that_exempt_digits() {
        for (key, digits) in [
            ("start_epoch", "1515666344"),
            ("start_uepoch", "1515666344534355"),
            ("starttime", "1515666344"),
            ("createdAt", "1515666344534"),
            ("DateCreated", "20180111"),
            ("hold_accum_time", "67139151"),
            ("uduration", "70959914"),
            ("flow_billusec", "70959914"),
            ("raw_bytes", "57258812"),
            ("rtp_use_ssrc", "1448966920"),
        ] {
            assert!(KeyClass::of(key).exempts(digits), "{key}");
        }
        for (key, digits) in [
            ("start_epoch", "4155550132"),
            ("daytime_phone", "1515666344"),
            ("account", "5550132"),
            ("contact_us", "5550132"),
        ] {
            assert!(!KeyClass::of(key).exempts(digits), "{key}");
        }
    }

    #[test]
    fn times_without_separators() {
        assert!(is_plausible_time("20180111112544"));
        assert!(!is_plausible_time("20181311"));
        assert!(!is_plausible_time("9915666344"));
    }
}
