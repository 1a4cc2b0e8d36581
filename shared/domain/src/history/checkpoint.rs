//! Signed checkpoints: how far a chain goes, and the hash of its last entry, under Ed25519 (RFC 8032).
//!
//! Whoever keeps one can tell later whether anything before it was edited, dropped or cut off, without
//! asking Ringfence. A message authentication code would not do: whoever can check one can make one.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use ring::signature::{self, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use ringfence_ports::{KeysError, Op, Put, Query, Row, StoreError, Unit, When};
use serde::{Deserialize, Serialize};

use super::{
    HistoryError,
    chain::Head,
    verify::{Bad, Fault, checkpoint_place},
};
use crate::{
    App,
    access::{parse_doc, to_doc},
    derived::mac_of,
    keyspace::{self, SHARDS},
};

/// By when the first change since the last checkpoint is to be under one.
const EVERY: SignedDuration = SignedDuration::from_hours(24);
/// After how many changes one is due at once.
const EVERY_ENTRIES: u64 = 1000;
/// How many entries are checked at most for one checkpoint; it then covers as many.
const MAX_ENTRIES: u64 = 10_000;
/// How many checkpoints one sweep signs of each shard; what is left is for the next.
const MAX_PER_SHARD: usize = 50;

/// A signed statement: an owner's chain goes on from entry `first` to entry `seq`, whose hash this is,
/// and that vouches for all before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// Whose chain: `acc_…`, `agy_…` or `platform`.
    pub owner: String,
    /// The first entry that is spoken of: 1, but for the export of a part.
    pub first: u64,
    /// The last entry.
    pub seq: u64,
    /// Its hash.
    pub hash: String,
    /// When this was signed.
    pub at: Timestamp,
    /// The key's id: its thumbprint (RFC 7638).
    pub kid: String,
    /// Ed25519 over the text of [`Checkpoint::signed_text`], in base64url without padding.
    pub signature: String,
}

impl Checkpoint {
    /// What is signed: six lines, each with a line feed at its end.
    ///
    /// ```text
    /// ringfence-history-checkpoint/1
    /// owner
    /// first
    /// seq
    /// hash
    /// at
    /// ```
    pub fn signed_text(&self) -> String {
        format!(
            "ringfence-history-checkpoint/1\n{}\n{}\n{}\n{}\n{}\n",
            self.owner, self.first, self.seq, self.hash, self.at
        )
    }

    /// Whether it was signed with the private half of `key`.
    pub fn is_signed_by(&self, key: &PublicKey) -> bool {
        let Some((public, signature)) = key
            .bytes()
            .zip(URL_SAFE_NO_PAD.decode(&self.signature).ok())
        else {
            return false;
        };
        UnparsedPublicKey::new(&signature::ED25519, public)
            .verify(self.signed_text().as_bytes(), &signature)
            .is_ok()
    }
}

/// A public key as a JSON Web Key (RFC 8037).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicKey {
    /// `OKP`
    pub kty: String,
    /// `Ed25519`
    pub crv: String,
    /// 32 bytes in base64url without padding.
    pub x: String,
    /// Its thumbprint (RFC 7638).
    pub kid: String,
    /// `EdDSA`
    pub alg: String,
    /// `sig`
    #[serde(rename = "use")]
    pub purpose: String,
}

impl PublicKey {
    /// The key of these 32 bytes.
    pub fn new(bytes: &[u8]) -> Self {
        let x = URL_SAFE_NO_PAD.encode(bytes);
        let members = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
        let thumbprint = ring::digest::digest(&ring::digest::SHA256, members.as_bytes());
        Self {
            kty: "OKP".to_owned(),
            crv: "Ed25519".to_owned(),
            x,
            kid: URL_SAFE_NO_PAD.encode(thumbprint),
            alg: "EdDSA".to_owned(),
            purpose: "sig".to_owned(),
        }
    }

    /// The key that `x` says in base64url without padding; `None` where that is no key.
    pub fn parse(x: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(x).ok()?;
        (bytes.len() == signature::ED25519_PUBLIC_KEY_LEN).then(|| Self::new(&bytes))
    }

    fn bytes(&self) -> Option<Vec<u8>> {
        if self.kty != "OKP" || self.crv != "Ed25519" {
            return None;
        }
        URL_SAFE_NO_PAD.decode(&self.x).ok()
    }
}

/// By when the next checkpoint is due, with `unsigned` entries since the last one.
pub(super) fn due(unsigned: u64, due_at: Option<Timestamp>, now: Timestamp) -> Timestamp {
    let latest = now.checked_add(EVERY).unwrap_or(now);
    let due = due_at.map_or(latest, |at| at.min(latest));
    if unsigned >= EVERY_ENTRIES {
        due.min(now)
    } else {
        due
    }
}

impl App {
    /// The key that checkpoints are signed with. Derived, so that every process of an installation has
    /// the same.
    async fn checkpoint_key(&self) -> Result<Ed25519KeyPair, KeysError> {
        let key = self.derived_key("history-checkpoint").await?;
        let seed = mac_of(&key, &["ed25519"]);
        Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| KeysError::Refused)
    }

    /// The public half of the key that checkpoints are signed with.
    pub async fn history_key(&self) -> Result<PublicKey, KeysError> {
        let key = self.checkpoint_key().await?;
        Ok(PublicKey::new(key.public_key().as_ref()))
    }

    pub(super) async fn sign_checkpoint(
        &self,
        owner: &str,
        first: u64,
        seq: u64,
        hash: &str,
    ) -> Result<Checkpoint, KeysError> {
        let key = self.checkpoint_key().await?;
        let mut checkpoint = Checkpoint {
            owner: owner.to_owned(),
            first,
            seq,
            hash: hash.to_owned(),
            at: self.clock.now(),
            kid: PublicKey::new(key.public_key().as_ref()).kid,
            signature: String::new(),
        };
        let signed = key.sign(checkpoint.signed_text().as_bytes());
        checkpoint.signature = URL_SAFE_NO_PAD.encode(signed);
        Ok(checkpoint)
    }

    /// The latest stored checkpoint at or before entry `seq`, judged: one that was not signed by us is
    /// a fault of the chain.
    pub(super) async fn stored_checkpoint(
        &self,
        owner: &str,
        seq: u64,
    ) -> Result<Option<Checkpoint>, HistoryError> {
        let page = self
            .table
            .query(Query {
                from: Some("c/".to_owned()),
                to: Some(keyspace::history_checkpoint(owner, seq.saturating_add(1)).sk),
                descending: true,
                limit: 1,
                ..Query::partition(keyspace::history_checkpoint(owner, 0).pk)
            })
            .await?;
        let Some(row) = page.rows.first() else {
            return Ok(None);
        };
        let key = self.history_key().await?;
        judged(row, owner, &key)
            .map(Some)
            .map_err(HistoryError::Broken)
    }

    /// Signs how far an owner's chain goes, after checking it from the last checkpoint on: what does
    /// not verify is never signed. `None`: there is no entry yet.
    ///
    /// Of very many entries since the last checkpoint it covers the first 10,000.
    pub async fn checkpoint(&self, owner: &str) -> Result<Option<Checkpoint>, HistoryError> {
        let row = self.table.get(&keyspace::history_head(owner)).await?;
        let (head, when) = Head::read(row.as_ref())?;
        if head.seq == 0 {
            return Ok(None);
        }
        let last = self.stored_checkpoint(owner, u64::MAX - 1).await?;
        if let Some(last) = &last {
            if last.seq > head.seq {
                let bad = Bad::new(head.seq + 1, Fault::Truncated);
                return Err(HistoryError::Broken(bad));
            }
            if last.seq == head.seq && last.hash == head.hash && head.due_at.is_none() {
                return Ok(Some(last.clone()));
            }
        }
        let signed = last.map_or(0, |last| last.seq);
        if head.signed > signed {
            let bad = Bad::new(head.signed, Fault::Checkpoint);
            return Err(HistoryError::Broken(bad));
        }
        let seq = head.seq.min(signed.saturating_add(MAX_ENTRIES));
        let hash = self.verified_hash(owner, seq).await?;
        if seq == head.seq && hash != head.hash {
            return Err(HistoryError::Broken(Bad::new(seq, Fault::Edited)));
        }
        let checkpoint = self.sign_checkpoint(owner, 1, seq, &hash).await?;
        let signed_all = seq == head.seq;
        let head = Head {
            signed: seq,
            due_at: if signed_all {
                None
            } else {
                Some(self.clock.now())
            },
            ..head
        };
        let unit = Unit {
            ops: vec![
                head.put(owner, when)?,
                Op::Put(Put::new(
                    keyspace::history_checkpoint(owner, seq),
                    to_doc(&checkpoint)?,
                    When::Always,
                )),
            ],
            sends: Vec::new(),
        };
        match self.table.commit(unit).await {
            // A change came in between. What was signed is true all the same.
            Ok(()) | Err(StoreError::Condition { .. } | StoreError::Busy) => Ok(Some(checkpoint)),
            Err(error) => Err(error.into()),
        }
    }

    /// Signs the checkpoints that are due, and answers how many. A chain that does not verify is logged
    /// as an error, and again each day.
    pub async fn sweep_checkpoints(&self) -> Result<usize, StoreError> {
        let mut signed = 0;
        for shard in 0..SHARDS {
            let now = self.clock.now();
            let page = self
                .table
                .query(Query {
                    // Up to and with the millisecond of now.
                    to: Some(keyspace::due_from(now) + "~"),
                    limit: MAX_PER_SHARD,
                    ..Query::index(0, keyspace::history_checkpoints_due(shard))
                })
                .await?;
            for row in page.rows {
                let Some(owner) = row.key.pk.strip_prefix("history/") else {
                    continue;
                };
                match self.checkpoint(owner).await {
                    Ok(_) => signed += 1,
                    Err(HistoryError::Broken(bad)) => {
                        tracing::error!(
                            owner,
                            seq = bad.seq,
                            fault = bad.fault.as_str(),
                            "a change history does not verify"
                        );
                        self.put_off(owner, &row).await?;
                    }
                    Err(HistoryError::Store(error)) => return Err(error),
                    Err(error) => {
                        tracing::error!(owner, %error, "a change history cannot be signed; the next sweep tries again");
                    }
                }
            }
        }
        Ok(signed)
    }

    /// The head of a chain that does not verify comes up again tomorrow.
    async fn put_off(&self, owner: &str, row: &Row) -> Result<(), StoreError> {
        let (mut head, when) = Head::read(Some(row))?;
        head.due_at = self.clock.now().checked_add(EVERY).ok();
        let unit = Unit {
            ops: vec![head.put(owner, when)?],
            sends: Vec::new(),
        };
        match self.table.commit(unit).await {
            Err(StoreError::Condition { .. }) => Ok(()),
            other => other,
        }
    }
}

/// A stored checkpoint that is one of this owner, of its place, and signed by us.
pub(super) fn judged(row: &Row, owner: &str, key: &PublicKey) -> Result<Checkpoint, Bad> {
    let seq = checkpoint_place(row);
    parse_doc::<Checkpoint>(&row.doc)
        .ok()
        .filter(|one| one.owner == owner && one.seq == seq && one.is_signed_by(key))
        .ok_or(Bad::new(seq, Fault::Checkpoint))
}
