//! Recordings as lines of a file for spreadsheets: CSV as RFC 4180 has it, in UTF-8.

use std::borrow::Cow;

use csv::{Terminator, Writer, WriterBuilder};
use jiff::Timestamp;
use ringfence_ports::StoreError;

use crate::{access::DataReach, event::PhoneNumber, recording::Recording};

/// Between the labels of one cell.
const BETWEEN_TAGS: &str = ";";

/// What a spreadsheet may take for the beginning of a formula: ASCII, and the same letters in full width.
/// <https://owasp.org/www-community/attacks/CSV_Injection>
const FORMULA: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];

/// Behind these another cell may begin.
const BEGINS_A_CELL: [char; 4] = [';', '\t', '\r', '\n'];

type Cell = fn(&Recording) -> Cow<'_, str>;

/// The columns, in their order; each is named as the field of a recording that it is.
const COLUMNS: [(&str, Cell); 12] = [
    ("id", |r| Cow::Borrowed(&r.id)),
    ("call_id", |r| Cow::Borrowed(&r.call_id)),
    ("started_at", |r| Cow::Owned(r.started_at.to_string())),
    ("duration", |r| Cow::Owned(r.duration.to_string())),
    ("agent_id", |r| optional(r.agent_id.as_deref())),
    ("team", |r| optional(r.team.as_deref())),
    ("from", |r| {
        optional(r.from.as_ref().map(PhoneNumber::as_str))
    }),
    ("to", |r| optional(r.to.as_ref().map(PhoneNumber::as_str))),
    ("tags", |r| Cow::Owned(r.tags.join(BETWEEN_TAGS))),
    ("content_type", |r| Cow::Borrowed(&r.content_type)),
    ("size", |r| {
        Cow::Owned(r.size.map(|n| n.to_string()).unwrap_or_default())
    }),
    ("redacted", |r| {
        Cow::Borrowed(if r.redacted { "true" } else { "false" })
    }),
];

/// The columns behind those, in an export with links.
const LINK_COLUMNS: [&str; 2] = ["link", "link_expires_at"];

fn optional(text: Option<&str>) -> Cow<'_, str> {
    Cow::Borrowed(text.unwrap_or_default())
}

/// The link of a line.
#[derive(Debug)]
pub(super) struct LineLink {
    /// Its URL.
    pub(super) url: String,
    /// When it ends; `None`: never.
    pub(super) ends_at: Option<Timestamp>,
}

/// A file that is being written, part by part.
pub(super) struct Lines {
    columns: Vec<&'static (&'static str, Cell)>,
    has_links: bool,
    writer: Writer<Vec<u8>>,
}

impl Lines {
    /// The columns that `reach` shows; the first part begins with their names.
    pub(super) fn new(reach: &DataReach, has_links: bool) -> Result<Self, StoreError> {
        let mut lines = Self {
            columns: COLUMNS
                .iter()
                .filter(|(name, _)| reach.shows_of_recording(name))
                .collect(),
            has_links,
            writer: writer(),
        };
        let names = lines.columns.iter().map(|(name, _)| *name);
        let of_links = LINK_COLUMNS.into_iter().filter(|_| has_links);
        let names: Vec<&str> = names.chain(of_links).collect();
        lines.writer.write_record(names).map_err(broken)?;
        Ok(lines)
    }

    /// A recording, as it may be shown.
    pub(super) fn push(
        &mut self,
        recording: &Recording,
        link: Option<&LineLink>,
    ) -> Result<(), StoreError> {
        for (_, cell) in &self.columns {
            let text = defused(cell(recording));
            self.writer.write_field(text.as_bytes()).map_err(broken)?;
        }
        if self.has_links {
            let url = link.map_or("", |link| &link.url);
            let ends_at = link.and_then(|link| link.ends_at);
            let ends_at = ends_at.map(|at| at.to_string()).unwrap_or_default();
            for text in [url, &ends_at] {
                self.writer.write_field(text).map_err(broken)?;
            }
        }
        // An empty record ends the line.
        self.writer.write_record(None::<&[u8]>).map_err(broken)
    }

    /// What was written since the last time.
    pub(super) fn take(&mut self) -> Result<Vec<u8>, StoreError> {
        std::mem::replace(&mut self.writer, writer())
            .into_inner()
            .map_err(|_| StoreError::Invalid("lines of a file do not end"))
    }
}

fn writer() -> Writer<Vec<u8>> {
    WriterBuilder::new()
        .terminator(Terminator::CRLF)
        .from_writer(Vec::new())
}

/// Writing to memory does not fail.
fn broken(error: csv::Error) -> StoreError {
    drop(error);
    StoreError::Invalid("a line of a file cannot be written")
}

/// A cell that no spreadsheet takes for a formula: an apostrophe before what may begin one. Also behind what
/// begins a cell where columns are parted otherwise than by commas, as in much of Europe by semicolons: there
/// quotes inside a line hold nothing together.
fn defused(text: Cow<'_, str>) -> Cow<'_, str> {
    if !text.contains(FORMULA) {
        return text;
    }
    let mut safe = String::with_capacity(text.len() + 2);
    let mut begins = true;
    for letter in text.chars() {
        if begins && FORMULA.contains(&letter) {
            safe.push('\'');
        }
        begins = BEGINS_A_CELL.contains(&letter);
        safe.push(letter);
    }
    Cow::Owned(safe)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn recording(tag: &str) -> Recording {
        serde_json::from_value(serde_json::json!({
            "id": "rec_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b", "account": "acc_1", "call_id": "call-1042",
            "status": "available", "started_at": "2026-01-31T08:15:09Z", "duration": 150,
            "content_type": "audio/wav", "size": 1_200_044, "created_at": "2026-01-31T08:18:01Z", "blob": "b",
            "agent_id": tag, "tags": [tag, "b"],
        }))
        .unwrap()
    }

    #[test]
    fn a_file_begins_with_the_names_and_ends_each_line_as_the_rfc_does() {
        let mut lines = Lines::new(&DataReach::everything(), false).unwrap();
        lines.push(&recording("a \"b\", c"), None).unwrap();
        assert_eq!(
            String::from_utf8(lines.take().unwrap()).unwrap(),
            "id,call_id,started_at,duration,agent_id,team,from,to,tags,content_type,size,redacted\r\n\
             rec_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b,call-1042,2026-01-31T08:15:09Z,150,\"a \"\"b\"\", c\",,,,\
             \"a \"\"b\"\", c;b\",audio/wav,1200044,false\r\n"
        );
        assert!(lines.take().unwrap().is_empty());
    }

    #[test]
    fn links_stand_behind() {
        let mut lines = Lines::new(&DataReach::everything(), true).unwrap();
        lines.take().unwrap();
        let link = LineLink {
            url: "https://calls.example.com/r/v1".to_owned(),
            ends_at: None,
        };
        for (link, end) in [
            (None, ",false,,\r\n"),
            (Some(&link), ",false,https://calls.example.com/r/v1,\r\n"),
        ] {
            lines.push(&recording("a"), link).unwrap();
            let text = String::from_utf8(lines.take().unwrap()).unwrap();
            assert!(text.ends_with(end), "{text}");
        }
    }

    #[test]
    fn no_cell_begins_a_formula() {
        for text in ["=1+1", "+4915112345678", "-1", "@SUM(A1)", "＝1", "\t1"] {
            assert_eq!(defused(Cow::Borrowed(text)), format!("'{text}"));
        }
        // Where semicolons or tabs part the columns, or a quote does not hold lines together.
        for (text, safe) in [
            ("a;=1+1", "a;'=1+1"),
            ("=1;@A1;b", "'=1;'@A1;b"),
            ("a;;-1", "a;;'-1"),
            ("a\t=1", "a\t'=1"),
            ("a\r\n=1", "a\r'\n'=1"),
            ("\n=1", "'\n'=1"),
        ] {
            assert_eq!(defused(Cow::Borrowed(text)), safe);
        }
        for text in ["", "a=1", "'=1", " =1", "a;b", "a-b;c+d"] {
            assert_eq!(defused(Cow::Borrowed(text)), text);
        }
    }

    proptest! {
        #[test]
        fn whatever_a_cell_holds_is_read_again(text in ".*") {
            let mut lines = Lines::new(&DataReach::everything(), false).unwrap();
            lines.push(&recording(&text), None).unwrap();
            let file = lines.take().unwrap();
            let mut reader = csv::Reader::from_reader(file.as_slice());
            let read: Vec<_> = reader.records().map(Result::unwrap).collect();
            prop_assert_eq!(read.len(), 1);
            prop_assert_eq!(&read[0][4], defused(Cow::Borrowed(&text)));
            prop_assert_eq!(read[0].len(), COLUMNS.len());
        }
    }
}
