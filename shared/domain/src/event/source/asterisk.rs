//! Asterisk call detail records: JSON with the names of the CDR's fields or of the manager's `Cdr`
//! event, and lines of `Master.csv`. One record gives one `cdr.created`; the whole record is kept as
//! `source.asterisk`.
//!
//! - `text/csv`: one record a line, in the order of `cdr_csv.c`: accountcode, src, dst, dcontext,
//!   clid, channel, dstchannel, lastapp, lastdata, start, answer, end, duration, billsec,
//!   disposition, amaflags, then uniqueid (`loguniqueid`), userfield (`loguserfield`), peeraccount,
//!   linkedid, sequence (`newcdrcolumns`). A 17th column alone is the unique id when it looks like
//!   one (`1700000000.42`). A first line of column names sets another order, as `cdr_custom` writes.
//! - anything else: JSON, one object, an array, or one object a line.
//!
//! Times without an offset are local to the PBX: the query parameter `tz` names the zone (IANA,
//! `tz=Europe/Berlin`; UTC if absent). A time that a clock change made ambiguous is the earlier one.
//! Seconds since 1970 (`${CDR(start,f)}`) and RFC 3339 are read too.
//!
//! | ours | from |
//! | --- | --- |
//! | `id` | `asterisk:{uniqueid}:{sequence}`; without a sequence the hash of the record instead of it |
//! | `call_id` | `uniqueid`, or the hash of the record |
//! | `parent_call_id` | `linkedid`, if it is another |
//! | `from`, `to` | `src` or the number in `clid`, `dst` |
//! | `display_number` | `outbound_cnum` |
//! | `direction` | extension to extension is internal, extension to number outbound, number to extension inbound; `dcontext` that begins with `from-trunk`, `from-pstn`, `from-did` inbound |
//! | `extension` | the peer of `channel` when outbound, of `dstchannel` else, if it is an extension |
//! | `custom_id` | `userfield` |
//! | `started_at`, `answered_at`, `ended_at` | `start` or `calldate`, `answer`, `end` |
//! | `duration`, `billsec`, `talk_time` | `duration`, `billsec`, `billsec` |
//! | `ring_time` | started to answered, or to the end |
//! | `disposition` | ANSWERED, or voicemail when `lastapp` is VoiceMail; NO ANSWER; BUSY; FAILED and CONGESTION failed |
//! | `hangup_cause`, `hangup_cause_code` | `hangupcause`, a Q.850 number |
//! | `recording.url` | `recordingfile` |

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use super::Post;
use super::record::{
    self, Record, direction_of, event_id, free, id, in_bounds, is_extension, location, phone,
    seconds_between,
};
use crate::event::{
    Batch, BatchError, Direction, Disposition, ErrorCode, Event, EventData, EventError, EventType,
    Recording, native, rfc3339,
};

/// The columns of Master.csv.
const COLUMNS: [&str; 21] = [
    "accountcode",
    "src",
    "dst",
    "dcontext",
    "clid",
    "channel",
    "dstchannel",
    "lastapp",
    "lastdata",
    "start",
    "answer",
    "end",
    "duration",
    "billsec",
    "disposition",
    "amaflags",
    "uniqueid",
    "userfield",
    "peeraccount",
    "linkedid",
    "sequence",
];
/// How many of them are always there.
const FIXED_COLUMNS: usize = 16;
/// Most columns of one line: custom fields may stand behind Asterisk's own.
const MAX_COLUMNS: usize = 64;

/// Reads the records of a post.
///
/// # Errors
/// No record, too many, JSON that cannot be taken apart, or a `tz` that is no zone.
pub fn parse(post: &Post<'_>) -> Batch {
    let zone = zone(post)?;
    let media_type = record::media_type(post);
    if media_type == "text/csv" || media_type == "application/csv" {
        return csv(post, &zone);
    }
    let read = |text: &str| record::object(text, &[]).and_then(|record| cdr(record, &zone, post));
    let text = record::body(post)?.trim_ascii();
    if text.starts_with('[') {
        return Ok(native::split_array(text)?.into_iter().map(read).collect());
    }
    match read(text) {
        Err(error) if error.code == ErrorCode::Malformed => {
            if !text.contains('\n') {
                return Err(BatchError::Malformed {
                    reason: error.reason,
                });
            }
            let lines = native::split_lines(text.as_bytes())?;
            Ok(lines
                .into_iter()
                .filter_map(|line| std::str::from_utf8(line).ok())
                .map(read)
                .collect())
        }
        result => Ok(vec![result]),
    }
}

fn zone(post: &Post<'_>) -> Result<TimeZone, BatchError> {
    match record::query(post, "tz") {
        None => Ok(TimeZone::UTC),
        Some(name) => TimeZone::get(&name).map_err(|_| BatchError::Query {
            name: "tz",
            reason: "must be a time zone of the IANA database, like Europe/Berlin",
        }),
    }
}

fn csv(post: &Post<'_>, zone: &TimeZone) -> Batch {
    let lines = native::split_lines(post.body)?;
    let mut names: Option<Vec<String>> = None;
    let mut results = Vec::with_capacity(lines.len());
    for (index, line) in lines.into_iter().enumerate() {
        let fields = std::str::from_utf8(line)
            .map_err(|_| EventError::new(ErrorCode::Malformed, "is not valid UTF-8"))
            .and_then(|line| record::bounded(line).map(|()| line))
            .and_then(split_line);
        results.push(match fields {
            Ok(fields) if index == 0 && is_header(&fields) => {
                names = Some(
                    fields
                        .iter()
                        .map(|name| name.trim().to_ascii_lowercase())
                        .collect(),
                );
                continue;
            }
            Ok(fields) => {
                columns(fields, names.as_deref()).and_then(|record| cdr(record, zone, post))
            }
            Err(error) => Err(error),
        });
    }
    if results.is_empty() {
        Err(BatchError::Empty)
    } else {
        Ok(results)
    }
}

/// Column names, not values: no call has both of these as source and destination.
fn is_header(fields: &[String]) -> bool {
    let has = |name: &str| {
        fields
            .iter()
            .any(|field| field.trim().eq_ignore_ascii_case(name))
    };
    has("src") && has("dst")
}

/// One line of RFC 4180: quotes doubled inside quotes. `cdr_csv` never breaks a line inside a field.
fn split_line(line: &str) -> Result<Vec<String>, EventError> {
    let broken = |reason: &'static str| Err(EventError::new(ErrorCode::Malformed, reason));
    let mut fields = Vec::new();
    let mut rest = line;
    loop {
        if fields.len() == MAX_COLUMNS {
            return broken("has more columns than any CDR");
        }
        if let Some(quoted) = rest.strip_prefix('"') {
            let mut field = String::new();
            let mut tail = quoted;
            loop {
                let Some((before, after)) = tail.split_once('"') else {
                    return broken("has a quote that is not closed");
                };
                field.push_str(before);
                let Some(doubled) = after.strip_prefix('"') else {
                    tail = after;
                    break;
                };
                field.push('"');
                tail = doubled;
            }
            fields.push(field);
            rest = tail;
        } else {
            let end = rest.find(',').unwrap_or(rest.len());
            let (field, tail) = rest.split_at(end);
            fields.push(field.to_owned());
            rest = tail;
        }
        match rest.strip_prefix(',') {
            Some(next) => rest = next,
            None if rest.is_empty() => return Ok(fields),
            None => return broken("has text after a closing quote"),
        }
    }
}

fn columns(
    fields: Vec<String>,
    names: Option<&[String]>,
) -> Result<Map<String, Value>, EventError> {
    let count = fields.len();
    if names.is_none() && count < FIXED_COLUMNS {
        return Err(EventError::new(
            ErrorCode::Malformed,
            format!("has {count} columns; a CDR has at least {FIXED_COLUMNS}"),
        ));
    }
    let userfield_only =
        count == FIXED_COLUMNS + 1 && fields.last().is_some_and(|last| !is_unique_id(last));
    let name = |index: usize| match names {
        Some(names) => names.get(index).filter(|name| !name.is_empty()).cloned(),
        None if userfield_only && index == FIXED_COLUMNS => Some("userfield".to_owned()),
        None => COLUMNS.get(index).map(|name| (*name).to_owned()),
    };
    Ok(fields
        .into_iter()
        .enumerate()
        .map(|(index, field)| {
            let name = name(index).unwrap_or_else(|| format!("column{}", index + 1));
            (name, Value::String(field))
        })
        .collect())
}

/// `1700000000.42`, or `pbx1-1700000000.42` with a `systemname`.
fn is_unique_id(text: &str) -> bool {
    let bare = text.rsplit('-').next().unwrap_or_default();
    bare.split_once('.').is_some_and(|(seconds, count)| {
        seconds.len() >= 9
            && !count.is_empty()
            && [seconds, count]
                .iter()
                .all(|part| part.bytes().all(|b| b.is_ascii_digit()))
    })
}

fn cdr(record: Map<String, Value>, zone: &TimeZone, post: &Post<'_>) -> Result<Event, EventError> {
    let root = Record(&record);
    let source = root.text(&["src", "Source"]);
    let destination = root.text(&["dst", "Destination"]);
    let unique_id = id(root.text(&["uniqueid"]));
    if unique_id.is_none() && source.is_none() && destination.is_none() {
        return Err(EventError::missing("uniqueid"));
    }
    let print = || record::fingerprint(&Value::Object(record.clone()).to_string());
    let call_id = unique_id.unwrap_or_else(|| format!("asterisk:{}", print()));
    let sequence = root.text(&["sequence"]).unwrap_or_else(print);
    let event_id = event_id("asterisk", &[&call_id, &sequence]);

    let time = |names: &[&str]| root.text(names).and_then(|text| instant(&text, zone));
    let mut data = EventData {
        parent_call_id: id(root.text(&["linkedid"])).filter(|linked| *linked != call_id),
        call_id: Some(call_id),
        from: phone(source.or_else(|| {
            root.text(&["clid", "CallerID"])
                .and_then(|c| clid_number(&c))
        })),
        to: phone(destination),
        display_number: phone(root.text(&["outbound_cnum"])),
        custom_id: free(root.text(&["userfield"])),
        started_at: time(&["start", "StartTime", "calldate"]),
        answered_at: time(&["answer", "AnswerTime"]),
        ended_at: time(&["end", "EndTime"]),
        duration: root.seconds(&["duration"]),
        billsec: root.seconds(&["billsec", "BillableSeconds"]),
        hangup_cause_code: root
            .integer(&["hangupcause"])
            .and_then(|code| u8::try_from(code).ok())
            .filter(|code| (1..=127).contains(code)),
        recording: location(root.text(&["recordingfile"])).map(|url| Recording {
            url: Some(url),
            ..Recording::default()
        }),
        ..EventData::default()
    };
    data.disposition = disposition(root);
    // Asterisk answers a channel for music or an announcement too; billsec counts from there.
    data.talk_time = data.billsec;
    data.duration = data
        .duration
        .or_else(|| seconds_between(data.started_at, data.ended_at));
    data.ring_time = seconds_between(data.started_at, data.answered_at.or(data.ended_at));
    data.direction = direction(root, &data);
    let channel = match data.direction {
        Some(Direction::Outbound) => root.text(&["channel"]),
        _ => root.text(&["dstchannel", "DestinationChannel"]),
    };
    data.extension = channel.as_deref().and_then(peer).map(str::to_owned);
    data.hangup_cause = data
        .hangup_cause_code
        .and_then(record::q850_name)
        .map(str::to_owned);
    let timestamp = data.ended_at.or(data.started_at);
    record::event(
        post,
        EventType::CdrCreated,
        event_id,
        timestamp,
        data,
        "asterisk",
        record,
    )
}

fn disposition(root: Record<'_>) -> Option<Disposition> {
    match root
        .text(&["disposition"])?
        .to_ascii_uppercase()
        .replace('_', " ")
        .as_str()
    {
        "ANSWERED" => {
            let app = root.text(&["lastapp", "LastApplication"]);
            let voicemail = app.is_some_and(|app| app.eq_ignore_ascii_case("voicemail"));
            Some(if voicemail {
                Disposition::Voicemail
            } else {
                Disposition::Answered
            })
        }
        "NO ANSWER" => Some(Disposition::NoAnswer),
        "BUSY" => Some(Disposition::Busy),
        "FAILED" | "CONGESTION" => Some(Disposition::Failed),
        _ => None,
    }
}

fn direction(root: Record<'_>, data: &EventData) -> Option<Direction> {
    direction_of(data.from.as_ref(), data.to.as_ref()).or_else(|| {
        let context = root.text(&["dcontext", "DestinationContext"])?;
        ["from-trunk", "from-pstn", "from-did"]
            .iter()
            .any(|inbound| context.starts_with(inbound))
            .then_some(Direction::Inbound)
    })
}

/// The extension of a channel: `2001` of `PJSIP/2001-0000002a`.
fn peer(channel: &str) -> Option<&str> {
    let (_, name) = channel.split_once('/')?;
    let name = name.split_once(['-', '@']).map_or(name, |(peer, _)| peer);
    is_extension(name).then_some(name)
}

/// The number of `"Ada" <4155550123>`.
fn clid_number(clid: &str) -> Option<String> {
    let (_, number) = clid.rsplit_once('<')?;
    number
        .split_once('>')
        .map(|(number, _)| number.trim().to_owned())
}

fn instant(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    if let Some(time) = rfc3339::parse(text) {
        return Some(time);
    }
    if let Some((seconds, fraction)) = text.split_once('.').or(Some((text, "0")))
        && seconds.len() >= 9
        && let (Ok(seconds), true) = (
            seconds.parse(),
            fraction.bytes().all(|b| b.is_ascii_digit()),
        )
    {
        let micros: i32 = format!("{fraction:0<6}").get(..6)?.parse().ok()?;
        return in_bounds(Timestamp::new(seconds, micros * 1_000).ok()?)
            .filter(|t| t.as_second() > 0);
    }
    let local: DateTime = text.parse().ok()?;
    in_bounds(zone.to_ambiguous_timestamp(local).earlier().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::samples;

    fn post(content_type: &'static str, query: Option<&'static str>, body: &'static str) -> Batch {
        parse(&Post {
            content_type: Some(content_type),
            query,
            body: body.as_bytes(),
            account_id: samples::ACCOUNT,
            received_at: samples::received_at(),
        })
    }

    #[test]
    fn a_cdr_is_read() {
        let event = samples::event("asterisk-cdr.json");
        assert_eq!(event.id, "asterisk:1769847300.42:84");
        let data = &event.data;
        assert_eq!(data.call_id.as_deref(), Some("1769847300.42"));
        assert_eq!(data.parent_call_id, None);
        assert_eq!(data.direction, Some(Direction::Inbound));
        assert_eq!(
            data.from
                .as_ref()
                .map(crate::event::data::PhoneNumber::as_str),
            Some("4155550123")
        );
        assert_eq!(data.extension.as_deref(), Some("2001"));
        assert_eq!(
            (data.duration, data.billsec, data.ring_time),
            (Some(159), Some(150), Some(9))
        );
        assert_eq!(data.disposition, Some(Disposition::Answered));
        assert_eq!(data.custom_id.as_deref(), Some("order-7781"));
        assert!(data.recording.is_some());
    }

    #[test]
    fn csv_lines_give_the_same_as_json() {
        let json = samples::events("asterisk-cdrs.json");
        let csv = samples::parse("asterisk-master.csv").expect("lines");
        assert_eq!(csv.len(), 6);
        for (line, json) in csv.iter().zip(&json) {
            let data = &line.as_ref().expect("an event").data;
            // The columns that cdr_csv does not write.
            let json = EventData {
                source: None,
                recording: None,
                display_number: None,
                hangup_cause: None,
                hangup_cause_code: None,
                ..json.data.clone()
            };
            assert_eq!(
                EventData {
                    source: None,
                    ..data.clone()
                },
                json
            );
        }
        // Quotes are doubled inside quotes.
        let clid = |event: &Event| {
            event
                .data
                .source
                .as_ref()
                .map(|s| s.0["asterisk"]["clid"].clone())
        };
        assert_eq!(csv[0].as_ref().ok().and_then(clid), clid(&json[0]));
        // 17 columns: the last is the unique id. 16: there is none, and the record still has an id.
        let id = |index: usize| {
            csv[index]
                .as_ref()
                .ok()
                .and_then(|e| e.data.call_id.clone())
        };
        assert_eq!(id(2).as_deref(), Some("1769847300.48"));
        assert!(id(3).is_some_and(|id| id.starts_with("asterisk:")));
        assert_eq!(
            csv[4].as_ref().expect_err("broken").code,
            ErrorCode::Malformed
        );
        assert_eq!(
            csv[5].as_ref().map(|e| e.id.as_str()),
            Ok("asterisk:1769847300.50:86")
        );
    }

    #[test]
    fn a_line_of_names_sets_the_order() {
        let event = samples::event("asterisk-header.csv");
        assert_eq!(event.data.disposition, Some(Disposition::Busy));
        assert_eq!(event.data.call_id.as_deref(), Some("1769847300.52"));
        assert!(event.data.started_at.is_some());
    }

    #[test]
    fn manager_events_are_read() {
        let data = samples::event("asterisk-manager-event.json").data;
        assert_eq!(data.disposition, Some(Disposition::Voicemail));
        assert_eq!((data.duration, data.billsec), (Some(50), Some(30)));
        assert_eq!(
            data.to
                .as_ref()
                .map(crate::event::data::PhoneNumber::as_str),
            Some("2001")
        );
    }

    #[test]
    fn local_times_are_read_in_the_zone_that_is_named() {
        let start = |query| {
            let results = samples::parse_with("asterisk-cdr.json", query).expect("read");
            results[0]
                .as_ref()
                .expect("an event")
                .data
                .started_at
                .map(|t| t.to_string())
        };
        assert_eq!(start(None).as_deref(), Some("2026-01-31T09:15:00Z"));
        assert_eq!(
            start(Some("tz=UTC")).as_deref(),
            Some("2026-01-31T09:15:00Z")
        );
        assert_eq!(
            start(Some("tz=Europe/Berlin")).as_deref(),
            Some("2026-01-31T08:15:00Z")
        );
        assert_eq!(
            start(Some("tz=Europe%2FBerlin&x")).as_deref(),
            Some("2026-01-31T08:15:00Z")
        );
        let wrong = samples::parse_with("asterisk-cdr.json", Some("tz=Mars/Olympus"));
        assert!(matches!(wrong, Err(BatchError::Query { name: "tz", .. })));

        let zone = TimeZone::get("Europe/Berlin").expect("a zone");
        let utc = |text: &str| instant(text, &zone).map(|t| t.to_string());
        // 02:30 was twice that night: the earlier one.
        assert_eq!(
            utc("2025-10-26 02:30:00").as_deref(),
            Some("2025-10-26T00:30:00Z")
        );
        assert_eq!(
            utc("1769847300.5").as_deref(),
            Some("2026-01-31T08:15:00.5Z")
        );
        assert_eq!(
            utc("2026-01-31T08:15:00Z").as_deref(),
            Some("2026-01-31T08:15:00Z")
        );
        assert_eq!(utc("0000-00-00 00:00:00"), None);
        assert_eq!(utc(""), None);
    }

    #[test]
    fn records_that_share_a_unique_id_stay_apart() {
        let body = r#"[{"uniqueid":"1769847300.42","src":"2001","dst":"2002","disposition":"NO ANSWER"},
            {"uniqueid":"1769847300.42","src":"2001","dst":"2003","disposition":"ANSWERED"}]"#;
        let ids = || -> Vec<String> {
            let results = post("application/json", None, body).expect("read");
            results
                .into_iter()
                .map(|result| result.expect("an event").id)
                .collect()
        };
        let first = ids();
        assert_ne!(first[0], first[1]);
        assert_eq!(first, ids(), "the same post again is the same events again");
    }

    #[test]
    fn a_line_that_is_no_cdr_is_refused_alone() {
        let body = "\"a\",\"b\"\n\"unclosed\n";
        let results = post("text/csv", None, body).expect("lines");
        assert!(results.iter().all(Result::is_err) && results.len() == 2);
        assert_eq!(post("text/csv", None, "src,dst\n"), Err(BatchError::Empty));
        let body = "{\"uniqueid\":\"1769847300.42\"}\n{oops}\n{\"x\":1}";
        let results = post("application/x-ndjson", None, body).expect("lines");
        assert!(results[0].is_ok() && results[1].is_err() && results[2].is_err());
    }
}
