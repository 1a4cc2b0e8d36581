//! `/v1/accounts/{account}/holds…`

pub(crate) mod get;
pub(crate) mod one;
pub(crate) mod post;

use jiff::Timestamp;
use ringfence_domain::{
    deletion::{Hold, Target},
    event::without_numbers,
    settings::AccountConfig,
};
use serde::Serialize;
use utoipa::ToSchema;

/// A legal hold as it is shown.
#[derive(Serialize, ToSchema)]
pub(crate) struct HoldBody {
    id: String,
    account_id: String,
    /// recording, call, number or account
    on: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    recording_id: Option<String>,
    /// This and the number: masked where the account masks numbers in the console.
    #[serde(skip_serializing_if = "Option::is_none")]
    call_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<String>,
    reason: String,
    created_by: String,
    #[schema(value_type = String)]
    created_at: Timestamp,
}

/// A hold as this account shows it.
pub(crate) fn shown(config: &AccountConfig, hold: Hold) -> HoldBody {
    let mut body = HoldBody {
        id: hold.id,
        account_id: hold.account,
        on: "account",
        recording_id: None,
        call_id: None,
        number: None,
        reason: hold.reason,
        created_by: hold.created_by,
        created_at: hold.created_at,
    };
    match hold.target {
        Target::Account => {}
        Target::Recording(id) => (body.on, body.recording_id) = ("recording", Some(id)),
        Target::Call(id) => {
            let id = if config.masking.console {
                without_numbers(&id)
            } else {
                id
            };
            (body.on, body.call_id) = ("call", Some(id));
        }
        Target::Number(number) => {
            let number = if config.masking.console {
                number.masked()
            } else {
                number
            };
            (body.on, body.number) = ("number", Some(number.as_str().to_owned()));
        }
    }
    body
}
