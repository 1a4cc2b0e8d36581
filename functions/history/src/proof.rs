//! Checkpoints and verification.

use axum::Json;
use ringfence_domain::{
    App,
    history::{Bad, Checkpoint, Progress},
};
use ringfence_http::{Problem, cursor};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// What to verify.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct VerificationRequest {
    /// A checkpoint that you kept, as it was given.
    #[schema(value_type = Option<Value>)]
    checkpoint: Option<Checkpoint>,
    /// `next_cursor` of the answer before.
    cursor: Option<String>,
}

/// What was found.
#[derive(Serialize, ToSchema)]
pub(crate) struct VerificationBody {
    /// `verified`: all is as it was recorded; `incomplete`: so far; `broken`: see `first_bad`.
    status: &'static str,
    /// How many entries there are.
    entries: u64,
    /// Up to which the chain fits together.
    verified: u64,
    /// Up to which of these a signed checkpoint vouches.
    signed: u64,
    /// The first entry that is not as it was recorded.
    first_bad: Option<BadBody>,
    /// To go on with, while `status` is `incomplete`.
    next_cursor: Option<String>,
}

/// The first bad entry.
#[derive(Serialize, ToSchema)]
pub(crate) struct BadBody {
    /// Its number.
    seq: u64,
    /// edited, missing, `out_of_order`, truncated, rewritten, revealed, checkpoint, stray or unreadable.
    fault: &'static str,
    /// Of `rewritten`: the last entry that may be the first bad one.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<u64>,
    /// The same in words.
    detail: String,
}

impl From<Bad> for BadBody {
    fn from(bad: Bad) -> Self {
        Self {
            seq: bad.seq,
            fault: bad.fault.as_str(),
            until: bad.until,
            detail: bad.to_string(),
        }
    }
}

/// A fresh checkpoint.
pub(crate) async fn checkpoint_of(app: &App, owner: &str) -> Result<Json<Value>, Problem> {
    let checkpoint = app
        .checkpoint(owner)
        .await?
        .ok_or_else(|| Problem::not_found("entry"))?;
    let value = serde_json::to_value(checkpoint);
    Ok(Json(value.unwrap_or_default()))
}

/// The next part of a verification.
pub(crate) async fn verification_of(
    app: &App,
    owner: &str,
    request: VerificationRequest,
) -> Result<Json<VerificationBody>, Problem> {
    if let Some(kept) = &request.checkpoint {
        let is_ours = kept.owner == owner && kept.is_signed_by(&app.history_key().await?);
        if !is_ours {
            return Err(Problem::field(
                "checkpoint",
                "invalid_value",
                "must be a checkpoint of this history, as it was given",
            ));
        }
    }
    let kept = request
        .checkpoint
        .as_ref()
        .map_or("", |kept| kept.signature.as_str());
    let scope = [owner, "history-verification", kept];
    let from: Option<Progress> = request
        .cursor
        .as_deref()
        .map(|cursor| cursor::decode(&scope, cursor))
        .transpose()?;
    let found = app
        .verify_history(owner, from, request.checkpoint.as_ref())
        .await?;
    let status = match (found.bad, &found.next) {
        (Some(_), _) => "broken",
        (None, Some(_)) => "incomplete",
        (None, None) => "verified",
    };
    Ok(Json(VerificationBody {
        status,
        entries: found.entries,
        verified: found.verified,
        signed: found.signed,
        first_bad: found.bad.map(Into::into),
        next_cursor: found.next.map(|next| cursor::encode(&scope, &next)),
    }))
}
