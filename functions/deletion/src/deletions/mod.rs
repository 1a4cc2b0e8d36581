//! `/v1/accounts/{account}/deletions…`

pub(crate) mod get;
pub(crate) mod one;
pub(crate) mod post;
pub(crate) mod resume;
pub(crate) mod stop;

use std::collections::BTreeMap;

use jiff::Timestamp;
use ringfence_domain::{
    deletion::{Deletion, Phase, SignedReceipt, State},
    event::without_numbers,
    settings::AccountConfig,
};
use ringfence_http::{AppState, Problem};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// The reason where nobody gives one.
pub(crate) const DEFAULT_REASON: &str = "deleted by API";

/// A deletion as it is shown.
#[derive(Serialize, ToSchema)]
pub(crate) struct DeletionBody {
    id: String,
    account_id: String,
    /// running, stopped or done
    #[schema(value_type = String)]
    state: State,
    /// What it does next, part by part of a thousand: plan, tombstone, delete, verify or receipt
    #[schema(value_type = String)]
    phase: Phase,
    dry_run: bool,
    /// What it means; numbers masked, and those in ids where the account masks them in the console.
    #[schema(value_type = Object)]
    selection: Value,
    reason: String,
    /// An API key's id; system: retention.
    requested_by: String,
    #[schema(value_type = String)]
    created_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    finished_at: Option<Timestamp>,
    planned: Planned,
    progress: Progress,
    /// When it is done, unless it was a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    receipt: Option<ReceiptBody>,
}

/// What a deletion means. Final when the phase plan is over.
#[derive(Serialize, ToSchema)]
struct Planned {
    recordings: u64,
    bytes: u64,
    /// In a dry run: those among them that a legal hold keeps at the moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    held: Option<u64>,
}

/// How far it is, in recordings.
#[derive(Serialize, ToSchema)]
struct Progress {
    done: u64,
    left: u64,
    /// Null before it has worked for a second.
    per_second: Option<f64>,
}

/// A receipt: planned = deleted + `already_absent` + held + failed.
#[derive(Serialize, ToSchema)]
struct ReceiptBody {
    #[serde(flatten)]
    #[schema(inline)]
    receipt: ReceiptFields,
    /// Whether the signature is right: it was made here and nothing was changed since.
    signature_valid: bool,
}

/// What a receipt says. Its JSON without the signature is what is signed, before ids in its selection are masked.
#[derive(Serialize, ToSchema)]
struct ReceiptFields {
    deletion: String,
    account: String,
    #[schema(value_type = Object)]
    selection: Value,
    reason: String,
    requested_by: String,
    #[schema(value_type = String)]
    requested_at: Timestamp,
    planned: u64,
    deleted: u64,
    /// Gone when their turn came.
    already_absent: u64,
    /// Kept by a legal hold.
    held: u64,
    /// Tombstoned, but the store did not delete them: resume the deletion to try again.
    failed: u64,
    bytes_planned: u64,
    bytes_deleted: u64,
    /// The holds that kept some, and how many each.
    #[schema(value_type = Object)]
    holds: BTreeMap<String, u64>,
    /// SHA-256 over every recording and what became of it.
    outcomes_sha256: String,
    #[schema(value_type = String)]
    finished_at: Timestamp,
    /// HMAC-SHA256, hexadecimal.
    signature: String,
}

impl From<SignedReceipt> for ReceiptFields {
    fn from(signed: SignedReceipt) -> Self {
        let receipt = signed.receipt;
        Self {
            deletion: receipt.deletion,
            account: receipt.account,
            selection: receipt.selection,
            reason: receipt.reason,
            requested_by: receipt.requested_by,
            requested_at: receipt.requested_at,
            planned: receipt.planned,
            deleted: receipt.deleted,
            already_absent: receipt.already_absent,
            held: receipt.held,
            failed: receipt.failed,
            bytes_planned: receipt.bytes_planned,
            bytes_deleted: receipt.bytes_deleted,
            holds: receipt.holds,
            outcomes_sha256: receipt.outcomes_sha256,
            finished_at: receipt.finished_at,
            signature: signed.signature,
        }
    }
}

/// A deletion as it stands now.
pub(crate) async fn shown(
    app: &AppState,
    config: &AccountConfig,
    job: Deletion,
) -> Result<DeletionBody, Problem> {
    let masked = |mut selection: Value| {
        if config.masking.console {
            hide_numbers(&mut selection);
        }
        selection
    };
    let done = job.counts.settled();
    let progress = Progress {
        done,
        left: if job.dry_run {
            0
        } else {
            job.planned.saturating_sub(done)
        },
        per_second: job.rate(app.clock.now()),
    };
    let receipt = match job.receipt {
        Some(signed) => Some(ReceiptBody {
            signature_valid: app.verify_receipt(&signed).await?,
            receipt: {
                let mut receipt = ReceiptFields::from(signed);
                receipt.selection = masked(receipt.selection);
                receipt
            },
        }),
        None => None,
    };
    Ok(DeletionBody {
        id: job.id,
        account_id: job.account,
        state: job.state,
        phase: job.phase,
        dry_run: job.dry_run,
        selection: masked(job.selection.shown()),
        reason: job.reason,
        requested_by: job.requested_by,
        created_at: job.created_at,
        finished_at: job.finished_at,
        planned: Planned {
            recordings: job.planned,
            bytes: job.planned_bytes,
            held: job.dry_run.then_some(job.planned_held),
        },
        progress,
        receipt,
    })
}

/// What a selection names may hold a number, and nothing here tells which.
fn hide_numbers(selection: &mut Value) {
    for name in ["call_id", "agent_id", "team", "tag"] {
        if let Some(Value::String(text)) = selection.get_mut(name) {
            *text = without_numbers(text);
        }
    }
}
