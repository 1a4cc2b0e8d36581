use std::net::IpAddr;

use jiff::Timestamp;
use ringfence_ports::{
    ByteStream, MAX_LINK_TTL, Op, Page, Position, Put, Query, StoreError, Unit, When,
};
use serde::{Deserialize, Serialize};

use super::{Recording, RecordingError, Status};
use crate::{
    App,
    access::{parse_doc, to_doc},
    id, keyspace,
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
        let spec = header.trim().strip_prefix("bytes=").ok_or(RangeError)?;
        let (first, last) = spec.split_once('-').ok_or(RangeError)?;
        let number = |text: &str| {
            let fits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            if fits {
                text.parse::<u64>().map_err(|_| RangeError)
            } else {
                Err(RangeError)
            }
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
}

/// An entry of the log of who listened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Listen {
    /// `lsn_…`
    pub id: String,
    /// When the audio was asked for.
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
    /// The first byte asked for.
    pub from_byte: u64,
    /// The byte before which the request ended.
    pub to_byte: u64,
    /// The first second asked for, as far as bytes tell seconds.
    pub from_second: u32,
    /// The second at which the request ended.
    pub to_second: u32,
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
        match recording.status {
            Status::Available => {}
            Status::Pending => return Err(RecordingError::NotStored),
            Status::Deleted => return Err(RecordingError::Deleted),
            Status::Refused => {
                return Err(RecordingError::Refused(
                    recording.refusal.unwrap_or(super::Refusal::NotAudio),
                ));
            }
        }
        let length = recording.size.unwrap_or_default();
        let range = match range {
            None => 0..length,
            Some(range) => range
                .within(length)
                .ok_or(RecordingError::Range { length })?,
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
            .link(&recording.blob, MAX_LINK_TTL, download_as)
            .await?;
        Ok(Played::At(url))
    }

    async fn note_listen(
        &self,
        recording: &Recording,
        range: &std::ops::Range<u64>,
        listener: Listener,
    ) -> Result<(), StoreError> {
        let now = self.clock.now();
        let entry = Listen {
            id: id::new(id::Kind::Listen, now, &*self.random),
            at: now,
            recording: recording.id.clone(),
            link: listener.link,
            user: listener.user,
            address: listener.address,
            from_byte: range.start,
            to_byte: range.end,
            from_second: second_of(recording, range.start),
            to_second: second_of(recording, range.end),
        };
        let key = keyspace::listen(&recording.id, &entry.id);
        self.table
            .commit(Unit {
                ops: vec![Op::Put(Put::new(key, to_doc(&entry)?, When::Absent))],
                sends: Vec::new(),
            })
            .await
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
        let entries = rows
            .iter()
            .map(|row| parse_doc(&row.doc))
            .collect::<Result<_, _>>()?;
        Ok((entries, next))
    }
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
            "bytes=99999999999999999999-",
        ] {
            assert!(Range::parse(bad).is_err(), "{bad}");
        }
    }
}
