//! Links in exports: many at a time, and the same ones however often an export starts over.
//!
//! Their secrets follow from a key, the export and the recording, so that what a run left behind that
//! died is what the next one writes. All of them are revoked by one row ([`keyspace::export_revoked`]).

use std::collections::HashSet;

use jiff::Timestamp;
use ringfence_ports::{MAX_OPS, Op, Put, StoreError, Unit, When};
use serde::Serialize;

use super::{Link, LinkToken, NewLink, Purpose, link_ops};
use crate::{
    App,
    access::{parse_doc, to_doc},
    derived::mac_of,
    export::Export,
    id, keyspace,
    recording::Recording,
    settings::{RecordingRules, days_after},
};

/// How many links are made in one commit: each is a row, and another that says where it stands.
const LINKS: usize = MAX_OPS / 2;

/// How many rows are read at a time.
const READS: usize = 100;

/// How often links that somebody else made meanwhile are looked for again.
const ATTEMPTS: usize = 4;

/// A link of an export.
struct Wanted {
    link: Link,
    token: LinkToken,
    is_made: bool,
}

impl App {
    /// Links to recordings, in their order, made under the rules of now. Those that an earlier run of the
    /// export may have made (`look`) are found, and stay as they are.
    pub(crate) async fn export_links(
        &self,
        export: &Export,
        rules: &RecordingRules,
        recordings: &[&Recording],
        look: bool,
    ) -> Result<Vec<NewLink>, StoreError> {
        let mut wanted = Vec::with_capacity(recordings.len());
        for recording in recordings {
            wanted.push(self.export_link(export, rules, recording).await?);
        }
        if look {
            self.find_made(&mut wanted).await?;
        }
        for _ in 0..ATTEMPTS {
            let mut missing: Vec<&mut Wanted> =
                wanted.iter_mut().filter(|link| !link.is_made).collect();
            if missing.is_empty() {
                return Ok(wanted
                    .into_iter()
                    .map(|Wanted { link, token, .. }| NewLink {
                        ends_at: rules.link_ends(link.created_at, link.expires_at),
                        link,
                        token,
                    })
                    .collect());
            }
            let mut units = Vec::with_capacity(missing.len().div_ceil(LINKS));
            for links in missing.chunks(LINKS) {
                let mut ops = Vec::with_capacity(MAX_OPS);
                for Wanted { link, token, .. } in links.iter().map(|link| &**link) {
                    ops.extend(link_ops(link, token)?);
                }
                units.push(Unit {
                    ops,
                    sends: Vec::new(),
                });
            }
            let results = self.table.write(units).await;
            let mut is_late = false;
            for (links, result) in missing.chunks_mut(LINKS).zip(results) {
                match result {
                    Ok(()) => links.iter_mut().for_each(|link| link.is_made = true),
                    // Some of them are there: another run of the same export.
                    Err(StoreError::Condition { .. }) => is_late = true,
                    Err(error) => return Err(error),
                }
            }
            if is_late {
                self.find_made(&mut wanted).await?;
            }
        }
        Err(StoreError::Busy)
    }

    async fn export_link(
        &self,
        export: &Export,
        rules: &RecordingRules,
        recording: &Recording,
    ) -> Result<Wanted, StoreError> {
        let closed = |error| StoreError::Unavailable(format!("a link cannot be made: {error}"));
        let secrets = self.derived_key("link-secret").await.map_err(closed)?;
        let secret = mac_of(&secrets, &["export", &export.id, &recording.id]);
        let token = LinkToken::new(&*self.derived_key("link").await.map_err(closed)?, &secret);
        let mut tail = [0; 10];
        let named = mac_of(&secrets, &["export-id", &export.id, &recording.id]);
        tail.copy_from_slice(named.get(..10).unwrap_or(&[0; 10]));
        // Of the time when the export was asked for, whichever run it is.
        let link = Link {
            id: id::with_tail(id::Kind::Link, export.created_at, tail),
            account: recording.account.clone(),
            recording: recording.id.clone(),
            purpose: Purpose::Export,
            created_by: export.requested_by.clone(),
            created_at: export.created_at,
            expires_at: days_after(export.created_at, rules.link_days),
            revoked_at: None,
            generation: recording.link_generation,
            export: Some(export.id.clone()),
        };
        Ok(Wanted {
            link,
            token,
            is_made: false,
        })
    }

    /// Takes those that are stored for made, as they are stored.
    async fn find_made(&self, wanted: &mut [Wanted]) -> Result<(), StoreError> {
        for links in wanted.chunks_mut(READS) {
            let keys: Vec<_> = links
                .iter()
                .map(|link| keyspace::link(&link.token.hash()))
                .collect();
            for (link, row) in links.iter_mut().zip(self.table.get_many(&keys).await?) {
                if let Some(row) = row {
                    link.link = parse_doc(&row.doc)?;
                    link.is_made = true;
                }
            }
        }
        Ok(())
    }

    /// The exports whose links are revoked, of those that these links were made for.
    pub(super) async fn revoked_exports(
        &self,
        links: &[Link],
    ) -> Result<HashSet<String>, StoreError> {
        let exports: HashSet<&String> = links
            .iter()
            .filter_map(|link| link.export.as_ref())
            .collect();
        let exports: Vec<&String> = exports.into_iter().collect();
        let mut revoked = HashSet::new();
        for exports in exports.chunks(READS) {
            let keys: Vec<_> = exports
                .iter()
                .map(|export| keyspace::export_revoked(export))
                .collect();
            let rows = self.table.get_many(&keys).await?;
            for (export, row) in exports.iter().zip(rows) {
                if row.is_some() {
                    revoked.insert((*export).clone());
                }
            }
        }
        Ok(revoked)
    }

    /// The write that revokes all links of an export, those included that are still to be made.
    pub(crate) fn revoke_export_links(&self, export: &str) -> Result<Op, StoreError> {
        let doc = to_doc(&Revoked {
            at: self.clock.now(),
        })?;
        let key = keyspace::export_revoked(export);
        Ok(Op::Put(Put::new(key, doc, When::Always)))
    }
}

/// What stands in the row that revokes the links of an export. It stays for ever, as links may.
#[derive(Serialize)]
struct Revoked {
    at: Timestamp,
}
