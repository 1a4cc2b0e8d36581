//! What a deletion amounted to, signed.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use ring::digest;
use ringfence_ports::{KeysError, Op, StoreError, Unit, When};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Deletion, DeletionError, State, plan::Chunk};
use crate::{
    App,
    access::{to_doc, to_value},
    history::{Action, Change},
    id,
};

/// What was planned and what became of it:
/// planned = deleted + already absent + held + failed, always.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The deletion.
    pub deletion: String,
    /// Whose recordings.
    pub account: String,
    /// What was asked for; numbers masked.
    pub selection: Value,
    /// Why.
    pub reason: String,
    /// Who asked for it.
    pub requested_by: String,
    /// When.
    pub requested_at: Timestamp,
    /// Recordings that were meant.
    pub planned: u64,
    /// Recordings that were deleted: nothing of them is in the store.
    pub deleted: u64,
    /// Recordings that were gone when their turn came.
    pub already_absent: u64,
    /// Recordings that a legal hold kept.
    pub held: u64,
    /// Recordings that the store did not delete.
    pub failed: u64,
    /// Bytes of those that were meant.
    pub bytes_planned: u64,
    /// Bytes of those that were deleted.
    pub bytes_deleted: u64,
    /// The holds that kept some, and how many each.
    pub holds: BTreeMap<String, u64>,
    /// SHA-256 over every recording and what became of it: parts of the manifest in order, each with
    /// the digest of the one before.
    pub outcomes_sha256: String,
    /// When it was done.
    pub finished_at: Timestamp,
}

/// A receipt with its signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedReceipt {
    /// What is signed: its JSON, fields in the order here.
    #[serde(flatten)]
    pub receipt: Receipt,
    /// HMAC-SHA256 over that, under a key of the installation that never leaves the key service;
    /// hexadecimal.
    pub signature: String,
}

/// The digest of the parts up to this one.
pub(super) fn digest(before: &str, chunk: &Chunk) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(before.as_bytes());
    for entry in &chunk.entries {
        for part in [
            "\n",
            &entry.recording,
            " ",
            entry.outcome.as_str(),
            " ",
            &entry.bytes.to_string(),
        ] {
            context.update(part.as_bytes());
        }
    }
    id::hex(context.finish().as_ref())
}

impl App {
    async fn sign_receipt(&self, receipt: &Receipt) -> Result<String, DeletionError> {
        let context = format!("{}/deletion-receipt", receipt.account);
        let signed = self.keys.mac(&context, to_doc(receipt)?.as_bytes()).await?;
        Ok(id::hex(&signed))
    }

    /// Whether a receipt is as it was signed here.
    ///
    /// # Errors
    /// The key cannot be had.
    pub async fn verify_receipt(&self, signed: &SignedReceipt) -> Result<bool, KeysError> {
        match self.sign_receipt(&signed.receipt).await {
            // Whoever asks is told the signature anyway: nothing to guess by its time.
            Ok(signature) => Ok(signature == signed.signature),
            Err(DeletionError::Keys(error)) => Err(error),
            Err(_) => Ok(false),
        }
    }

    /// The last step: the receipt, in the job and in the history, in one commit.
    pub(super) async fn receipt_step(
        &self,
        mut job: Deletion,
        version: u64,
    ) -> Result<Option<(Deletion, Duration)>, DeletionError> {
        let counts = job.counts.clone();
        if counts.settled() != job.planned {
            return Err(DeletionError::Conflict("a deletion does not add up"));
        }
        let now = self.clock.now();
        let receipt = Receipt {
            deletion: job.id.clone(),
            account: job.account.clone(),
            selection: job.selection.shown(),
            reason: job.reason.clone(),
            requested_by: job.requested_by.clone(),
            requested_at: job.created_at,
            planned: job.planned,
            deleted: counts.deleted,
            already_absent: counts.already_absent,
            held: counts.held,
            failed: counts.failed,
            bytes_planned: job.planned_bytes,
            bytes_deleted: counts.bytes_deleted,
            holds: counts.holds,
            outcomes_sha256: job.digest.clone(),
            finished_at: now,
        };
        let signature = self.sign_receipt(&receipt).await?;
        let signed = SignedReceipt { receipt, signature };
        let change = Change {
            item: format!("deletions/{}", job.id),
            action: Action::Delete,
            before: json!({ "planned": job.planned, "bytes": job.planned_bytes }),
            after: to_value(&signed)?,
        };
        job.rest(State::Done, now);
        job.finished_at = Some(now);
        job.receipt = Some(signed);
        job.step += 1;
        let unit = Unit {
            ops: vec![Op::Put(job.put(now, When::Version(version))?)],
            sends: Vec::new(),
        };
        let actor = job.actor();
        match self.commit_change(&job.account, &actor, change, unit).await {
            Ok(_) => Ok(Some((job, Duration::ZERO))),
            Err(StoreError::Condition { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}
