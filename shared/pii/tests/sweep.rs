//! `Sweep` over what sources send: nothing of a known number is left, and what is no number is.

use std::borrow::Cow;

use proptest::prelude::*;
use ringfence_pii::Sweep;
use serde_json::{Value, json};

/// A call record as `FreeSWITCH`'s `mod_json_cdr` posted it.
const FREESWITCH: &str = include_str!("../../../events/ingest/freeswitch-cdr.json");

fn freeswitch(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

fn swept(known: &[&str], mut value: Value) -> Value {
    Sweep::new(known.iter().copied()).json(&mut value);
    value
}

/// Whether the digits stand in the text without a digit on either side.
fn stands_alone(text: &str, digits: &str) -> bool {
    text.match_indices(digits).any(|(at, _)| {
        let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
        !digit(text[..at].chars().next_back()) && !digit(text[at + digits.len()..].chars().next())
    })
}

/// Every string and number of the tree with its path.
fn leaves(path: &str, value: &Value, found: &mut Vec<(String, String)>) {
    match value {
        Value::Object(members) => members
            .iter()
            .for_each(|(key, value)| leaves(&format!("{path}/{key}"), value, found)),
        Value::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(at, value)| leaves(&format!("{path}/{at}"), value, found));
        }
        Value::String(text) => found.push((path.to_owned(), text.clone())),
        other => found.push((path.to_owned(), other.to_string())),
    }
}

#[test]
fn freeswitch_record_loses_its_extensions_and_nothing_else() {
    let before = freeswitch(FREESWITCH);
    let after = swept(&["1001", "1002"], before.clone());
    let text = after.to_string();
    assert!(
        !stands_alone(&text, "1001") && !stands_alone(&text, "1002"),
        "{text}"
    );

    let (mut old, mut new) = (Vec::new(), Vec::new());
    leaves("", &before, &mut old);
    leaves("", &after, &mut new);
    assert_eq!(old.len(), new.len(), "no member is lost");
    for ((path, old), (new_path, new)) in old.iter().zip(&new) {
        assert_eq!(path, new_path);
        let held = ["1001", "1002"]
            .iter()
            .any(|number| stands_alone(old, number));
        // Two session numbers of ten digits in an SDP line, which nothing tells from telephone numbers.
        let sdp = path.ends_with("/rtp_local_sdp_str");
        assert_eq!(old != new, held || sdp, "{path}: {old} became {new}");
    }
    let variables = &after["variables"];
    assert_eq!(
        variables["current_application_data"],
        "user/****@10.10.10.204"
    );
    assert_eq!(
        variables["channel_name"],
        "sofia/internal/****@10.10.10.204"
    );
    assert_eq!(
        variables["transfer_history"],
        "1515666344:b4300942-e809-4393-99cb-d39a1bc3c219:bl_xfer:****/default/XML"
    );
    assert_eq!(variables["sip_full_from"], "sip:****@****");
    assert_eq!(variables["caller_id"], "****");
}

#[test]
fn freeswitch_record_leaves_no_digits_of_long_numbers() {
    let text = FREESWITCH
        .replace("1001", "+14155550132")
        .replace("1002", "02079460958");
    for known in [
        ["+14155550132", "02079460958"],
        ["4155550132", "+442079460958"],
        ["(415) 555-0132", "0044 20 7946 0958"],
    ] {
        let after = swept(&known, freeswitch(&text)).to_string();
        for digits in ["4155550132", "2079460958", "5550132", "9460958"] {
            assert!(!after.contains(digits), "{digits} of {known:?} in {after}");
        }
        assert!(after.contains("user/020****0958@10.10.10.204"), "{after}");
    }
    let unknown = swept(&[], freeswitch(&text)).to_string();
    assert!(
        !unknown.contains("5550132") && !unknown.contains("9460958"),
        "{unknown}"
    );
}

#[test]
fn a_known_number_is_found_however_it_is_written() {
    let sweep = Sweep::new(["+14155550132"]);
    for (text, masked) in [
        ("+14155550132", "+141****0132"),
        ("14155550132", "141****0132"),
        ("%2B14155550132", "%2B141****0132"),
        (
            "a=1&From=%2B1%20%28415%29%20555-0132&b=2",
            "a=1&From=%2B141****0132&b=2",
        ),
        ("From=%2B1+415+555+0132", "From=%2B141****0132"),
        ("(415) 555-0132", "41****0132"),
        ("4155550132@10.0.0.1", "41****0132@10.0.0.1"),
        ("tel:+1-415-555-0132", "tel:+141****0132"),
        ("001 415 555 0132", "+141****0132"),
        ("01114155550132", "011****0132"),
        ("415\u{2011}555\u{200B}\u{2011}0132", "41****0132"),
        ("４１５５５５０１３２", "41****0132"),
        ("call 4155550132.", "call 41****0132."),
        ("x4155550132y", "x41****0132y"),
        ("room 5, 4155550132", "room 5, 41****0132"),
        ("room 5 4155550132", "room 5 41****0132"),
        (
            "b4155550132c1234d5678e9012f3456",
            "b41****0132c1234d5678e9012f3456",
        ),
    ] {
        assert_eq!(sweep.text(text), masked, "{text}");
    }
    let listed = Sweep::new(["+14155550132, 5550199 or 020 7946 0958"]);
    assert_eq!(
        listed.text("start_epoch=4155550132;5550199;+442079460958"),
        "start_epoch=41****0132;****199;+4420****0958"
    );
    let after = {
        let mut value = json!({"packets": ["4155550132", "5550199", "442079460958"]});
        listed.json(&mut value);
        value
    };
    assert_eq!(
        after,
        json!({"packets": ["41****0132", "****199", "442****0958"]})
    );
    let home = Sweep::new(["020 7946 0958 x204"]);
    assert_eq!(home.text("+44 (0)20 7946 0958"), "+4420****0958");
    assert_eq!(
        home.text("ext 204 of +442079460958"),
        "ext **** of +4420****0958"
    );
}

#[test]
fn known_numbers_win_over_any_exemption() {
    let after = swept(
        &["+14155550132", "2125550132", "1001"],
        json!({
            "start_epoch": "2125550132", "packet_count": 2_125_550_132_u64, "bytes": "1001", "duration": 1001,
            "id": "00000000-0000-0000-0000-014155550132",
        }),
    );
    assert_eq!(
        after,
        json!({
            "start_epoch": "21****0132", "packet_count": "****", "bytes": "****", "duration": "****",
            "id": "00000000-0000-0000-0000-014****0132",
        })
    );
}

#[test]
fn a_short_known_number_is_found_only_on_its_own() {
    let sweep = Sweep::new(["1001", "204", "2018", "534", "942"]);
    for text in [
        "10010",
        "11001",
        "10.10.10.204",
        "10_10_10_204:5060",
        "b4300942-e809-4393-99cb-d39a1bc3c219",
        "f942fe20",
        "2018-01-11 11:25:44.534",
        "2018-01-11T11:25:44.534Z",
        "Thu, 11 Jan 2018 11:25:44 +0000",
        "4.204",
        "m204NZ4rXFX3p",
        "2001:db8:2018::204",
    ] {
        assert!(
            matches!(sweep.text(text), Cow::Borrowed(_)),
            "{text} became {}",
            sweep.text(text)
        );
    }
    for (text, masked) in [
        ("user/1001@10.10.10.204", "user/****@10.10.10.204"),
        ("\"1001\" <1001>", "\"****\" <****>"),
        ("ARRAY::1001|:204", "ARRAY::****|:****"),
        ("o=1001-jitsi.org 0 0", "o=****-jitsi.org 0 0"),
        ("SIP/1001-00000a3f", "SIP/****-00000a3f"),
        ("SIP/1001-00000013", "SIP/****-00000013"),
        ("ext1001.", "ext****."),
        ("1001 rang 204", "**** rang ****"),
        ("١٠٠١", "****"),
    ] {
        assert_eq!(sweep.text(text), masked, "{text}");
    }
}

#[test]
fn numbers_nobody_knows_are_masked_in_free_text() {
    let sweep = Sweep::new([]);
    for (text, masked) in [
        (
            "you can reach my wife at +1 617 906 7463 or email a37@example.org",
            "you can reach my wife at +161****7463 or email a37@example.org",
        ),
        ("(020) 7946 0958, then 5550132", "020****0958, then ****132"),
        ("both: 4155550132 4155550133", "both: 41****0132 41****0133"),
        ("or 4155550132/4155550133", "or 41****0132/41****0133"),
        ("电话13812341234。", "电话138****1234。"),
        ("12345678901234567", "12345678901234567"),
        (
            "at 11:25 on 2018-01-11 from 10.10.10.204:5060",
            "at 11:25 on 2018-01-11 from 10.10.10.204:5060",
        ),
        (
            "https://api.example.com/2010-04-01/Accounts/AC557ce644e5ab84fa21cc21112e22c485",
            "https://api.example.com/2010-04-01/Accounts/AC557ce644e5ab84fa21cc21112e22c485",
        ),
        ("zip 06935, 12 of 300", "zip 06935, 12 of 300"),
    ] {
        assert_eq!(sweep.text(text), masked);
    }
}

#[test]
fn twilio_form_fields() {
    let after = swept(
        &[],
        json!({
            "AccountSid": "AC557ce644e5ab84fa21cc21112e22c485", "ApiVersion": "2010-04-01", "CallDuration": "204",
            "CallSid": "CA557ce644e5ab84fa21cc21112e22c486", "Called": "+14155550132", "CalledCity": "SAN FRANCISCO",
            "CalledZip": "94105", "Caller": "client:alice_1", "From": "sip:1001@pbx.example.com", "FromZip": "94105",
            "ForwardedFrom": "72975", "SequenceNumber": "12", "StirVerstat": "TN-Validation-Passed-A",
            "Timestamp": "Thu, 11 Jan 2018 11:25:44 +0000", "To": "+14155550132",
        }),
    );
    assert_eq!(
        after,
        json!({
            "AccountSid": "AC557ce644e5ab84fa21cc21112e22c485", "ApiVersion": "2010-04-01", "CallDuration": "204",
            "CallSid": "CA557ce644e5ab84fa21cc21112e22c486", "Called": "+141****0132", "CalledCity": "SAN FRANCISCO",
            "CalledZip": "94105", "Caller": "client:****", "From": "sip:****@****", "FromZip": "94105",
            "ForwardedFrom": "****", "SequenceNumber": "12", "StirVerstat": "TN-Validation-Passed-A",
            "Timestamp": "Thu, 11 Jan 2018 11:25:44 +0000", "To": "+141****0132",
        })
    );
}

#[test]
fn asterisk_call_records() {
    let after = swept(
        &["1001"],
        json!({
            "clid": "\"Bob\" <1001>", "src": "1001", "dst": "914155550132", "channel": "PJSIP/1001-0000001a",
            "lastdata": "PJSIP/14155550132@trunk,20", "start": "2018-01-11 11:25:44", "duration": 71, "billsec": 68,
            "uniqueid": "1515666344.1001", "linkedid": "1515666344.27",
        }),
    );
    assert_eq!(
        after,
        json!({
            "clid": "****", "src": "****", "dst": "914****0132", "channel": "PJSIP/****-0000001a",
            "lastdata": "PJSIP/141****0132@trunk,20", "start": "2018-01-11 11:25:44", "duration": 71, "billsec": 68,
            "uniqueid": "1515666344.1001", "linkedid": "1515666344.27",
        })
    );
}

#[test]
fn connect_contact_records() {
    let after = swept(
        &[],
        json!({
            "ContactId": "b4300942-e809-4393-99cb-d39a1bc3c219", "InitiationTimestamp": "2018-01-11T11:25:44Z",
            "CustomerEndpoint": {"Address": "+14155550132", "Type": "TELEPHONE_NUMBER"},
            "SystemEndpoint": {"Address": "72975", "Type": "TELEPHONE_NUMBER"},
            "Queue": {"Duration": 12_345_678, "EnqueueTimestamp": "2018-01-11T11:25:44Z"},
            "Attributes": {"callback": "(415) 555-0132"},
        }),
    );
    assert_eq!(
        after,
        json!({
            "ContactId": "b4300942-e809-4393-99cb-d39a1bc3c219", "InitiationTimestamp": "2018-01-11T11:25:44Z",
            "CustomerEndpoint": {"Address": "+141****0132", "Type": "TELEPHONE_NUMBER"},
            "SystemEndpoint": {"Address": "****", "Type": "TELEPHONE_NUMBER"},
            "Queue": {"Duration": 12_345_678, "EnqueueTimestamp": "2018-01-11T11:25:44Z"},
            "Attributes": {"callback": "41****0132"},
        })
    );
}

#[test]
fn number_fields_keep_what_is_no_number() {
    let record = json!({
        "caller": "10.10.10.204", "callee": "b4300942-e809-4393-99cb-d39a1bc3c219", "from": "2018-01-01", "to": "true",
        "number_of_calls": "204", "session_id": "7", "sip_from_port": "5060", "sip_from_host": "pbx1.example.com",
        "username": "alice2", "profile_index": "2",
    });
    assert_eq!(swept(&[], record.clone()), record);
    let names = json!({"caller": "dead1001", "username": "1001", "sip_from_user": "alice2"});
    assert_eq!(
        swept(&[], names),
        json!({"caller": "****", "username": "****", "sip_from_user": "****"})
    );
}

#[test]
fn json_numbers_follow_their_key() {
    let after = swept(
        &[],
        json!({
            "caller": 1001, "from": 12, "to": [1002, 4_155_550_132_u64], "ref": 4_155_550_132_u64, "float": 4_155_550_132.0,
            "starttime": 1_515_666_344, "time": 4_155_550_132_u64, "media_packet_count": 12_345_678, "mos": 4.5,
            "negative": -4_155_550_132_i64, "ok": true, "none": null,
        }),
    );
    assert_eq!(
        after,
        json!({
            "caller": "****", "from": 12, "to": ["****", "****"], "ref": "****", "float": "****",
            "starttime": 1_515_666_344, "time": "****", "media_packet_count": 12_345_678, "mos": 4.5,
            "negative": "****", "ok": true, "none": null,
        })
    );
}

#[test]
fn keys_are_masked_and_no_member_is_lost() {
    let after = swept(
        &["1001"],
        json!({"+14155550132": 1, "+14155560132": 2, "user/1001": 3, "name": 4}),
    );
    assert_eq!(
        after,
        json!({"+141****0132": 1, "+141****0132 (2)": 2, "user/****": 3, "name": 4})
    );
}

#[test]
fn what_is_nested_too_deep_is_hidden() {
    let mut value = json!("4155550132");
    for _ in 0..100 {
        value = json!({ "inner": [value] });
    }
    let after = swept(&[], value).to_string();
    assert!(after.contains("****") && !after.contains("0132"), "{after}");
}

/// A national number of ten digits, written in one of many ways.
fn written() -> impl Strategy<Value = (String, String)> {
    let separator = || {
        proptest::sample::select(vec![
            "", "-", " ", ".", ") ", "\u{2011}", "/", "%20", "\u{200B}",
        ])
    };
    let prefix = proptest::sample::select(vec![
        "", "+1", "+1 ", "1", "1-", "001", "+1 (", "(", "%2B1", "tel:+1-", "sip:+1",
    ]);
    let around = || {
        proptest::sample::select(vec![
            "", " ", "\"", "<", ":", ";", "=", "é", "x", "@", "|", "\n", ",", "电",
        ])
    };
    (
        "[2-9][0-9]{2}",
        "[2-9][0-9]{2}",
        "[0-9]{4}",
        prefix,
        (separator(), separator()),
        (around(), around()),
    )
        .prop_map(
            |(area, exchange, line, prefix, (first, second), (before, after))| {
                let text = format!("{before}{prefix}{area}{first}{exchange}{second}{line}{after}");
                (format!("{area}{exchange}{line}"), text)
            },
        )
}

proptest! {
    #[test]
    fn a_known_number_never_survives(((digits, text), under) in (written(), "[a-z_]{0,12}")) {
        let known = format!("+1{digits}");
        let sweep = Sweep::new([known.as_str()]);
        let plain = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
        let masked = sweep.text(&text).replace("%20", " ").replace("%2B", "+");
        prop_assert!(!plain(&masked).contains(&digits), "{} became {}", text, masked);
        prop_assert!(masked.contains("****"), "{} became {}", text, masked);
        let mut value = json!({ under: text });
        sweep.json(&mut value);
        prop_assert!(value.to_string().contains("****"), "{}", value);
    }

    #[test]
    fn no_run_of_a_number_s_length_survives(text in "[ 0-9+().,:;@/-]{0,60}") {
        let masked = Sweep::new([]).text(&text).into_owned();
        for run in masked.split(|c: char| !c.is_ascii_digit()) {
            prop_assert!(run.len() < 7 || run.len() > 15, "{} became {}", text, masked);
        }
    }

    #[test]
    fn any_text_is_swept(text in any::<String>(), known in any::<String>(), key in any::<String>()) {
        let sweep = Sweep::new([known.as_str(), "1001", "+14155550132"]);
        let masked = sweep.text(&text);
        if !text.chars().any(char::is_numeric) {
            prop_assert_eq!(&*masked, &*text, "text without digits stays");
        }
        let mut value = json!({ key: [text] });
        sweep.json(&mut value);
        prop_assert_eq!(value.as_object().map(serde_json::Map::len), Some(1));
    }
}
