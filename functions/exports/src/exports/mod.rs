//! `/v1/accounts/{account}/exports…`

pub(crate) mod get;
pub(crate) mod one;
pub(crate) mod post;

use jiff::Timestamp;
use ringfence_domain::{
    event::without_numbers,
    export::{Download, Export, Failure, Kind, State},
    settings::AccountConfig,
};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// An export as it is shown.
#[derive(Serialize, ToSchema)]
pub(crate) struct ExportBody {
    id: String,
    account_id: String,
    /// recordings
    #[schema(value_type = String)]
    kind: Kind,
    /// running, done or failed
    #[schema(value_type = String)]
    state: State,
    /// Why it failed, and what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<FailureBody>,
    /// What was asked for; numbers in ids are masked where the account masks them in the console.
    #[schema(value_type = Object)]
    selection: Value,
    /// Whether each recording has a link in it.
    links: bool,
    /// An API key's id, or a person's.
    requested_by: String,
    #[schema(value_type = String)]
    created_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    finished_at: Option<Timestamp>,
    /// When it goes, with its file.
    #[schema(value_type = String)]
    expires_at: Timestamp,
    /// Recordings in it, so far.
    rows: u64,
    /// Those of them that have a link, so far.
    linked: u64,
    /// Bytes of the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    /// Where the file is, for a minute; only where one export is read. A path is one of this server's.
    #[serde(skip_serializing_if = "Option::is_none")]
    download: Option<String>,
    /// Why there is, or will be, no `download`.
    #[serde(skip_serializing_if = "Option::is_none")]
    withheld: Option<&'static str>,
}

/// Why an export failed.
#[derive(Serialize, ToSchema)]
pub(crate) struct FailureBody {
    /// `too_many_rows`, `store_key` or `too_slow`
    #[schema(value_type = String)]
    code: Failure,
    reason: &'static str,
}

/// An export as this account shows it.
pub(crate) fn shown(config: &AccountConfig, export: Export) -> ExportBody {
    let mut selection = export.selection.shown();
    if config.masking.console {
        hide_numbers(&mut selection);
    }
    ExportBody {
        id: export.id,
        account_id: export.account,
        kind: export.kind,
        state: export.state,
        failure: export.failure.map(|failure| FailureBody {
            code: failure,
            reason: failure.reason(),
        }),
        selection,
        links: export.links,
        requested_by: export.requested_by,
        created_at: export.created_at,
        finished_at: export.finished_at,
        expires_at: export.expires_at,
        rows: export.rows,
        linked: export.linked,
        size: export.size,
        download: None,
        withheld: None,
    }
}

impl ExportBody {
    /// The same with where its file is.
    pub(crate) fn with(mut self, download: Download) -> Self {
        match download {
            Download::Url(url) => self.download = Some(url),
            Download::None => {}
            Download::Links => {
                self.withheld = Some(
                    "There are links in the file: whoever gets it must be one who may make links (recordings:write).",
                );
            }
            Download::Unmasked => {
                self.withheld = Some(
                    "The file holds whole numbers, and the account masks them since: delete it and ask again.",
                );
            }
        }
        self
    }
}

/// What a selection names may hold a number, and nothing here tells which.
fn hide_numbers(selection: &mut Value) {
    for name in ["call_id", "agent_id", "team", "tag"] {
        if let Some(Value::String(text)) = selection.get_mut(name) {
            *text = without_numbers(text);
        }
    }
}
