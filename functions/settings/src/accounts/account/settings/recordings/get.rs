//! `GET /v1/accounts/{account}/settings/recordings`

use axum::{
    extract::{Path, State},
    response::Response,
};
use ringfence_domain::access::Scope;
use ringfence_http::{AppState, Authenticated, Problem, StrictQuery, problem::ProblemBody};

use crate::{
    answer,
    documents::{EffectiveQuery, RecordingsDocument},
};

/// Read the recording settings of an account
///
/// For how long links work, what they ask, how audio is encrypted: the account's own settings. With `effective=true` the settings
/// in force: the agency's wins unless it allows override, and what it does not set is the account's
/// to choose. Needs the scope `settings:read`.
#[utoipa::path(
    get,
    path = "/v1/accounts/{account}/settings/recordings",
    operation_id = "getAccountRecordings",
    tag = "settings",
    params(
        ("account" = String, Path, description = "The account's id"),
        ("effective" = Option<bool>, Query, description = "true: what is in force, each value with where it comes from: default, agency or account"),
    ),
    responses(
        (status = 200, description = "The document, with its ETag; or what is in force", body = RecordingsDocument, examples(
            ("document" = (value = json!({"link_days": 14, "access": "pin", "pin": "***"}))),
            ("effective" = (value = json!({"link_days": {"value": 14, "from": "agency"}, "access": {"value": "pin", "from": "account"}, "pin": {"value": "***", "from": "account"}, "encryption": {"value": "provider", "from": "default"}}))),
        )),
        (status = 400, description = "A field is wrong; all that are wrong are named", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 403, description = "The key lacks the scope", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "No such account", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path(account): Path<String>,
    query: Result<StrictQuery<EffectiveQuery>, Problem>,
) -> Result<Response, Problem> {
    let tenant = app
        .account_tenant(&caller, Scope::SettingsRead, &account)
        .await?;
    if query?.0.effective {
        return Ok(answer::plain(&app.effective_recordings(&tenant).await?));
    }
    let document = app.recordings_document(&tenant).await?;
    Ok(answer::document(document.version, &document.value))
}
