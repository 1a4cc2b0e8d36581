use std::net::IpAddr;

use jiff::Timestamp;
use ringfence_ports::{
    ByteStream, MAX_LINK_TTL, Op, Page, Position, Put, Query, Served, StoreError, Unit, When,
};
use serde::{Deserialize, Serialize};

use super::{ATTEMPTS, Recording, RecordingError};
use crate::{
    App,
    access::{parse_doc, to_doc},
    id, keyspace,
    session::throttle::network,
};

/// A range of bytes as a request asks for it (RFC 9110 section 14.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// From the first to the last, both included; `None`: to the end.
    From(u64, Option<u64>),
    /// So many at the end.
    Last(u64),
}

/// The range cannot be read, or is several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not one range of bytes")]
pub struct RangeError;

impl Range {
    /// Reads a `Range` header of one range. What is not one is to be ignored, as RFC 9110 has it.
    pub fn parse(header: &str) -> Result<Self, RangeError> {
        let (unit, spec) = header.trim().split_once('=').ok_or(RangeError)?;
        if !unit.eq_ignore_ascii_case("bytes") {
            return Err(RangeError);
        }
        let (first, last) = spec.trim().split_once('-').ok_or(RangeError)?;
        let number = |text: &str| {
            let fits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            // A number beyond what can be is as good as endless.
            fits.then(|| text.parse::<u64>().unwrap_or(u64::MAX))
                .ok_or(RangeError)
        };
        match (first, last) {
            ("", last) => Ok(Self::Last(number(last)?)),
            (first, "") => Ok(Self::From(number(first)?, None)),
            (first, last) => {
                let (first, last) = (number(first)?, number(last)?);
                if first > last {
                    Err(RangeError)
                } else {
                    Ok(Self::From(first, Some(last)))
                }
            }
        }
    }

    /// The bytes of an object of `length` that it means, half open; `None`: it lies outside.
    pub fn within(self, length: u64) -> Option<std::ops::Range<u64>> {
        let range = match self {
            Self::From(first, None) => first..length,
            Self::From(first, Some(last)) => first..last.saturating_add(1).min(length),
            Self::Last(count) => length.saturating_sub(count)..length,
        };
        (range.start < range.end).then_some(range)
    }
}

/// Who listens.
#[derive(Clone, Debug)]
pub struct Listener {
    /// By which link, if by one.
    pub link: Option<String>,
    /// Whose API key, if by one.
    pub user: Option<String>,
    /// From where.
    pub address: Option<IpAddr>,
    /// Whether to the audio as it came, of a recording that was redacted.
    pub to_original: bool,
}

/// An entry of the log of who listened: what one listener asked for by one link within a minute, so that no
/// link, however open, fills the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Listen {
    /// `lsn_…`
    pub id: String,
    /// When the audio was first asked for.
    pub at: Timestamp,
    /// To what.
    pub recording: String,
    /// By which link; `None`: with an API key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// The API key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// From where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// Whether to the audio as it came, of a recording that was redacted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub original: bool,
    /// The first byte asked for.
    pub from_byte: u64,
    /// The byte before which the request ended.
    pub to_byte: u64,
    /// The first second asked for, as far as bytes tell seconds.
    pub from_second: u32,
    /// The second at which the request ended.
    pub to_second: u32,
    /// Where more than one part was asked for within the minute: which, in order. What touches is one part.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Part>,
}

/// A part of a recording that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Its first byte.
    pub from_byte: u64,
    /// The byte before which it ends.
    pub to_byte: u64,
    /// Its first second, as far as bytes tell seconds.
    pub from_second: u32,
    /// The second at which it ends.
    pub to_second: u32,
}

/// The most parts of one entry: beyond them, those that lie closest are told as one.
const MAX_PARTS: usize = 16;

impl Part {
    fn of(recording: &Recording, range: &std::ops::Range<u64>) -> Self {
        Self {
            from_byte: range.start,
            to_byte: range.end,
            from_second: second_of(recording, range.start),
            to_second: second_of(recording, range.end),
        }
    }

    fn join(self, other: Self) -> Self {
        Self {
            from_byte: self.from_byte.min(other.from_byte),
            to_byte: self.to_byte.max(other.to_byte),
            from_second: self.from_second.min(other.from_second),
            to_second: self.to_second.max(other.to_second),
        }
    }
}

impl Listen {
    /// With another part that was asked for in the same minute.
    fn with(mut self, part: Part) -> Self {
        let mut parts = std::mem::take(&mut self.parts);
        if parts.is_empty() {
            parts.push(Part {
                from_byte: self.from_byte,
                to_byte: self.to_byte,
                from_second: self.from_second,
                to_second: self.to_second,
            });
        }
        parts.push(part);
        parts.sort_by_key(|part| part.from_byte);
        let mut merged: Vec<Part> = Vec::with_capacity(parts.len());
        for part in parts {
            match merged.last_mut() {
                Some(last) if part.from_byte <= last.to_byte => *last = last.join(part),
                _ => merged.push(part),
            }
        }
        while merged.len() > MAX_PARTS {
            let gap = |pair: &[Part]| match pair {
                [a, b] => b.from_byte.saturating_sub(a.to_byte),
                _ => u64::MAX,
            };
            let closest = (0..merged.len() - 1)
                .min_by_key(|at| merged.get(*at..at + 2).map_or(u64::MAX, gap))
                .unwrap_or_default();
            let next = merged.remove(closest + 1);
            if let Some(part) = merged.get_mut(closest) {
                *part = part.join(next);
            }
        }
        if let Some(all) = merged.iter().copied().reduce(Part::join) {
            self.from_byte = all.from_byte;
            self.to_byte = all.to_byte;
            self.from_second = all.from_second;
            self.to_second = all.to_second;
        }
        if merged.len() > 1 {
            self.parts = merged;
        }
        self
    }
}

/// Audio for somebody who may hear it.
pub enum Played {
    /// At this URL, for [`MAX_LINK_TTL`].
    At(String),
    /// Here, because only Ringfence can decrypt it.
    Bytes {
        /// The bytes asked for.
        bytes: ByteStream,
        /// Which these are.
        range: std::ops::Range<u64>,
        /// Of how many.
        length: u64,
    },
}

impl App {
    /// Gives somebody who may hear it the audio of a recording, and notes that first: what cannot be
    /// noted is not played.
    pub async fn play(
        &self,
        recording: &Recording,
        range: Option<Range>,
        download_as: Option<&str>,
        listener: Listener,
    ) -> Result<Played, RecordingError> {
        recording.playable()?;
        if let Some(sealed) = recording.for_customer() {
            // Of what it holds nobody here knows where it is.
            let all = 0..recording.size.unwrap_or(sealed.sealing.length);
            self.note_listen(recording, &all, listener).await?;
            let name = format!("{}.sealed", recording.id);
            let url = self
                .blobs
                .link(
                    &recording.blob,
                    MAX_LINK_TTL,
                    Served {
                        download_as: Some(&name),
                        content_type: None,
                    },
                )
                .await?;
            return Ok(Played::At(url));
        }
        let length = recording.size.unwrap_or_default();
        let limit = match &recording.sealing {
            Some(_) => self.max_message_bytes.unwrap_or(u64::MAX),
            None => u64::MAX,
        };
        let range = match range {
            None if length > limit => return Err(RecordingError::InParts { limit }),
            None => 0..length,
            // A part of what was asked for is an answer too (RFC 9110 section 15.3.7): players go on
            // from there.
            Some(range) => {
                let range = range
                    .within(length)
                    .ok_or(RecordingError::Range { length })?;
                range.start..range.end.min(range.start.saturating_add(limit))
            }
        };
        self.note_listen(recording, &range, listener).await?;
        if let Some(sealing) = &recording.sealing {
            let bytes = self.open_sealed(recording, sealing, range.clone()).await?;
            return Ok(Played::Bytes {
                bytes,
                range,
                length,
            });
        }
        let url = self
            .blobs
            .link(
                &recording.blob,
                MAX_LINK_TTL,
                Served {
                    download_as,
                    // What its bytes say, whatever was announced with them.
                    content_type: Some(&recording.content_type),
                },
            )
            .await?;
        Ok(Played::At(url))
    }

    /// One row for a listener, a link and a minute. What it says already costs no write.
    async fn note_listen(
        &self,
        recording: &Recording,
        range: &std::ops::Range<u64>,
        listener: Listener,
    ) -> Result<(), StoreError> {
        let now = self.clock.now();
        let part = Part::of(recording, range);
        let mut entry = Listen {
            id: listen_id(&listener, now),
            at: now,
            recording: recording.id.clone(),
            link: listener.link,
            user: listener.user,
            address: listener.address,
            original: listener.to_original,
            from_byte: part.from_byte,
            to_byte: part.to_byte,
            from_second: part.from_second,
            to_second: part.to_second,
            parts: Vec::new(),
        };
        let key = keyspace::listen(&recording.id, &entry.id);
        let mut when = When::Absent;
        for _ in 0..ATTEMPTS {
            let put = Put::new(key.clone(), to_doc(&entry)?, when);
            let unit = Unit {
                ops: vec![Op::Put(put)],
                sends: Vec::new(),
            };
            match self.table.commit(unit).await {
                Err(StoreError::Condition { .. }) => {}
                done => return done,
            }
            let Some(row) = self.table.get(&key).await? else {
                // Expired or erased between the two looks.
                when = When::Absent;
                continue;
            };
            let known: Listen = parse_doc(&row.doc)?;
            entry = known.clone().with(part);
            if entry == known {
                return Ok(());
            }
            when = When::Version(row.version);
        }
        Err(StoreError::Busy)
    }

    /// A page of who listened to a recording, newest first.
    pub async fn listens(
        &self,
        recording: &str,
        limit: usize,
        after: Option<Position>,
    ) -> Result<(Vec<Listen>, Option<Position>), StoreError> {
        let Page { rows, next } = self
            .table
            .query(Query {
                descending: true,
                limit,
                after,
                ..Query::partition(keyspace::listen(recording, "").pk)
            })
            .await?;
        let mut entries = rows
            .iter()
            .map(|row| parse_doc(&row.doc))
            .collect::<Result<Vec<Listen>, _>>()?;
        // Rows sort by their minute.
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.at));
        Ok((entries, next))
    }
}

/// The id of what a listener asks for within the minute of `now`. Of IPv6 the network counts that one customer
/// has: who has a network has more addresses than a log has room for.
fn listen_id(listener: &Listener, now: Timestamp) -> String {
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    let network = listener.address.map(network);
    let who = [&listener.link, &listener.user, &network].map(|part| part.as_deref());
    // What everybody hears is not named.
    let what = listener.to_original.then_some(Some("original"));
    for part in who.into_iter().chain(what) {
        let part = part.unwrap_or_default();
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part.as_bytes());
    }
    let mut tail = [0; 10];
    tail.copy_from_slice(context.finish().as_ref().get(..10).unwrap_or(&[0; 10]));
    let minute = now.as_second().div_euclid(60) * 60;
    let minute = Timestamp::from_second(minute).unwrap_or(now);
    id::with_tail(id::Kind::Listen, minute, tail)
}

/// The second that a byte belongs to, where all seconds are alike long.
fn second_of(recording: &Recording, byte: u64) -> u32 {
    let length = u128::from(recording.size.unwrap_or_default()).max(1);
    let second = u128::from(byte) * u128::from(recording.duration) / length;
    u32::try_from(second).unwrap_or(recording.duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_rfc_9110_has_them() {
        for (header, expected) in [
            ("bytes=0-0", Some(0..1)),
            ("bytes=0-", Some(0..10)),
            ("bytes=2-5", Some(2..6)),
            ("bytes=5-99", Some(5..10)),
            ("bytes=-3", Some(7..10)),
            ("bytes=-99", Some(0..10)),
            ("bytes=10-", None),
            ("bytes=-0", None),
            ("Bytes=2-5", Some(2..6)),
            ("bytes=2-99999999999999999999", Some(2..10)),
            ("bytes=99999999999999999999-", None),
        ] {
            assert_eq!(
                Range::parse(header).unwrap().within(10),
                expected,
                "{header}"
            );
        }
        for bad in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=5-2",
            "items=0-1",
            "bytes=0-1,3-4",
            "bytes=+1-2",
        ] {
            assert!(Range::parse(bad).is_err(), "{bad}");
        }
    }

    fn listen(from: u64, to: u64) -> Listen {
        Listen {
            id: "lsn_1".to_owned(),
            at: Timestamp::UNIX_EPOCH,
            recording: "rec_1".to_owned(),
            link: None,
            user: None,
            address: None,
            original: false,
            from_byte: from,
            to_byte: to,
            from_second: second(from),
            to_second: second(to),
            parts: Vec::new(),
        }
    }

    fn second(byte: u64) -> u32 {
        u32::try_from(byte / 10).unwrap()
    }

    fn part(from: u64, to: u64) -> Part {
        Part {
            from_byte: from,
            to_byte: to,
            from_second: second(from),
            to_second: second(to),
        }
    }

    #[test]
    fn what_touches_is_one_part_and_what_does_not_stays_apart() {
        let one = listen(0, 100).with(part(100, 200)).with(part(50, 120));
        assert_eq!(one, listen(0, 200));
        assert_eq!(one.clone().with(part(0, 200)), one, "said already");
        let two = one.with(part(500, 600));
        assert_eq!((two.from_byte, two.to_byte), (0, 600));
        assert_eq!((two.from_second, two.to_second), (0, 60));
        assert_eq!(two.parts, [part(0, 200), part(500, 600)]);
        assert_eq!(two.clone().with(part(510, 590)), two);
        assert_eq!(two.with(part(150, 550)), listen(0, 600));
    }

    #[test]
    fn however_many_parts_an_entry_stays_small_and_leaves_nothing_out() {
        let mut entry = listen(0, 1);
        for n in 1..1_000_u64 {
            let from = n * n * 10;
            entry = entry.with(part(from, from + 1));
            assert!(entry.parts.len() <= MAX_PARTS);
            let is_told = entry
                .parts
                .iter()
                .any(|part| part.from_byte <= from && from < part.to_byte);
            assert!(is_told, "{from}");
        }
        assert_eq!((entry.from_byte, entry.to_byte), (0, 999 * 999 * 10 + 1));
    }
}
