//! The day that the demo plays: a small call centre, told by its voice platform.

use bytes::Bytes;
use jiff::{Timestamp, ToSpan as _, Unit, tz::TimeZone};
use serde_json::{Map, Value, json};

/// A CDR that a `FreeSWITCH` wrote.
const FREESWITCH_CDR: &[u8] = include_bytes!("../../../../../events/ingest/freeswitch-cdr.json");

/// The centre's own number.
const CENTRE: &str = "+14155550199";

/// One request.
pub struct Post {
    /// When it is made, in seconds of the day.
    pub second: i64,
    /// Where to, under the account.
    pub path: &'static str,
    /// The event.
    pub body: Bytes,
}

/// A day, request by request. Yesterday: a platform does not tell of the future.
pub fn day(now: Timestamp) -> Vec<Post> {
    let today = now.to_zoned(TimeZone::UTC).round(
        jiff::ZonedRound::new()
            .smallest(Unit::Day)
            .mode(jiff::RoundMode::Trunc),
    );
    let midnight = today
        .and_then(|day| day.checked_sub(1.day()))
        .map_or(now, |day| day.timestamp());
    let mut day = Day {
        midnight,
        posts: Vec::new(),
    };

    Call::new("call-0901", "inbound", "+14155550132", CENTRE, clock(9, 2))
        .agent("2001", "ada")
        .play(&mut day, Some(148), "answered");
    Call::new("call-0902", "inbound", "+12025550147", CENTRE, clock(9, 31)).play(
        &mut day,
        None,
        "no_answer",
    );
    Call::new(
        "call-0903",
        "outbound",
        CENTRE,
        "+442079460958",
        clock(9, 54),
    )
    .agent("2002", "grace")
    .play(&mut day, Some(312), "answered");
    day.freeswitch(clock(10, 20));
    day.predictive_task(clock(11, 0));
    Call::new(
        "call-0904",
        "outbound",
        CENTRE,
        "+13125550164",
        clock(13, 10),
    )
    .agent("2001", "ada")
    .play(&mut day, None, "busy");
    Call::new(
        "call-0905",
        "inbound",
        "+61255501234",
        CENTRE,
        clock(14, 42),
    )
    .agent("2002", "grace")
    .play(&mut day, Some(95), "answered");
    Call::new(
        "call-0906",
        "inbound",
        "+442079460321",
        CENTRE,
        clock(16, 5),
    )
    .agent("2001", "ada")
    .play(&mut day, Some(421), "answered");
    Call::new(
        "call-0907",
        "inbound",
        "+14155550175",
        CENTRE,
        clock(17, 25),
    )
    .play(&mut day, None, "canceled");
    day.posts.sort_by_key(|post| post.second);
    day.posts
}

const fn clock(hour: i64, minute: i64) -> i64 {
    hour * 3600 + minute * 60
}

struct Day {
    midnight: Timestamp,
    posts: Vec<Post>,
}

impl Day {
    fn at(&self, second: i64) -> String {
        let at = self
            .midnight
            .checked_add(second.seconds())
            .unwrap_or(self.midnight);
        format!("{at:.0}")
    }

    fn event(&mut self, second: i64, event_type: &str, id: &str, data: &Value) {
        let event =
            json!({"type": event_type, "id": id, "timestamp": self.at(second), "data": data});
        self.posts.push(Post {
            second,
            path: "events",
            body: event.to_string().into(),
        });
    }

    fn freeswitch(&mut self, second: i64) {
        self.posts.push(Post {
            second,
            path: "ingest/freeswitch",
            body: Bytes::from_static(FREESWITCH_CDR),
        });
    }

    /// Six numbers dialled, four reached, and the end of it.
    fn predictive_task(&mut self, start: i64) {
        let task = "task-renewals";
        for (place, answered) in (0_i64..).zip([true, false, true, true, false, true]) {
            let second = start + place * 260;
            let call = format!("call-11{place:02}");
            let mut data = json!({
                "call_id": call, "task_id": task, "direction": "outbound", "call_method": "predictive",
                "from": CENTRE, "to": format!("+1202555016{place}"), "display_number": CENTRE,
            });
            let event_type = if answered {
                data["answered_at"] = json!(self.at(second));
                data["answered_by"] = json!("human");
                "predictive_task.call_answered"
            } else {
                data["ended_at"] = json!(self.at(second));
                data["ring_time"] = json!(30);
                data["disposition"] = json!("no_answer");
                "predictive_task.call_unanswered"
            };
            self.event(second, event_type, &format!("{task}-{place}"), &data);
        }
        let progress =
            json!({"total": 6, "dialed": 6, "answered": 4, "unanswered": 2, "remaining": 0});
        let end = json!({"task_id": task, "end_reason": "over", "progress": progress});
        self.event(
            start + 1800,
            "predictive_task.completed",
            &format!("{task}-completed"),
            &end,
        );
    }
}

/// One call, from its first ring to its recording.
struct Call {
    id: &'static str,
    /// What every event of it tells.
    data: Map<String, Value>,
    start: i64,
}

impl Call {
    fn new(id: &'static str, direction: &str, from: &str, to: &str, start: i64) -> Self {
        let mut data = Map::new();
        for (name, value) in [
            ("call_id", id),
            ("direction", direction),
            ("from", from),
            ("to", to),
        ] {
            data.insert(name.to_owned(), json!(value));
        }
        Self { id, data, start }
    }

    fn agent(mut self, extension: &str, agent: &str) -> Self {
        self.data.insert("extension".to_owned(), json!(extension));
        self.data.insert("agent_id".to_owned(), json!(agent));
        self
    }

    /// With `talk`, it is answered and talked for so many seconds, and a recording becomes available.
    fn play(mut self, day: &mut Day, talk: Option<i64>, disposition: &str) {
        const RING: i64 = 9;
        let started = day.at(self.start);
        self.set("started_at", started.clone());
        self.tell(
            day,
            0,
            "call.ringing",
            "ringing",
            &[("ringing_at", json!(started))],
        );
        if talk.is_some() {
            let answered = json!(day.at(self.start + RING));
            self.tell(
                day,
                RING,
                "call.answered",
                "answered",
                &[("answered_at", answered.clone())],
            );
            self.data.insert("answered_at".to_owned(), answered);
        }
        let length = RING + talk.unwrap_or(12);
        self.set("ended_at", day.at(self.start + length));
        let cause = match disposition {
            "busy" => "USER_BUSY",
            "no_answer" => "NO_ANSWER",
            "canceled" => "ORIGINATOR_CANCEL",
            _ => "NORMAL_CLEARING",
        };
        self.set("hangup_cause", cause.to_owned());
        self.tell(day, length, "call.disconnected", "disconnected", &[]);
        self.tell(
            day,
            length + 1,
            "cdr.created",
            "cdr",
            &[
                ("disposition", json!(disposition)),
                ("duration", json!(length)),
                ("billsec", json!(talk.unwrap_or(0))),
                ("ring_time", json!(RING)),
            ],
        );
        if let Some(talk) = talk {
            let id = format!("rec-{}", self.id);
            let url = format!("https://recordings.example.com/{id}.wav");
            let recording = json!({"id": id, "duration": talk, "url": url});
            let data = json!({"call_id": self.id, "recording": recording});
            let second = self.start + length + 40;
            day.event(
                second,
                "recording.available",
                &format!("{}-recording", self.id),
                &data,
            );
        }
    }

    fn set(&mut self, name: &str, value: String) {
        self.data.insert(name.to_owned(), Value::String(value));
    }

    fn tell(
        &self,
        day: &mut Day,
        after: i64,
        event_type: &str,
        what: &str,
        more: &[(&str, Value)],
    ) {
        let mut data = self.data.clone();
        data.extend(
            more.iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone())),
        );
        day.event(
            self.start + after,
            event_type,
            &format!("{}-{what}", self.id),
            &Value::Object(data),
        );
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_day_has_everything_that_a_call_centre_has() {
        let now: Timestamp = "2026-03-08T12:00:00Z".parse().unwrap();
        let posts = day(now);
        let mut types = BTreeSet::new();
        let mut dispositions = BTreeSet::new();
        for post in posts.iter().filter(|post| post.path == "events") {
            let event: Value = serde_json::from_slice(&post.body).unwrap();
            types.insert(event["type"].as_str().unwrap().to_owned());
            dispositions.extend(event["data"]["disposition"].as_str().map(str::to_owned));
            let at: Timestamp = event["timestamp"].as_str().unwrap().parse().unwrap();
            assert!(at < now && at.as_second() >= now.as_second() - 2 * 86_400);
        }
        assert_eq!(types.len(), 8, "{types:?}");
        assert_eq!(
            Vec::from_iter(dispositions),
            ["answered", "busy", "canceled", "no_answer"]
        );
        assert_eq!(
            posts
                .iter()
                .filter(|post| post.path == "ingest/freeswitch")
                .count(),
            1
        );
        assert!(posts.is_sorted_by_key(|post| post.second));
    }
}
