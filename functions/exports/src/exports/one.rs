//! `GET` and `DELETE /v1/accounts/{account}/exports/{export}`

use axum::{
    Json,
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use ringfence_domain::{
    access::{AccessError, Caller, Scope},
    export::{Download, Viewer},
    settings::AccountConfig,
};
use ringfence_http::{AppState, Authenticated, Problem, problem::ProblemBody};

use super::{ExportBody, shown};

/// Read an export
///
/// How far it is, and when it is done a URL that gives its file for a minute; where there are links in it, to
/// whoever may make links. Needs the scope `recordings:read`, and for a file with links `recordings:write`.
#[utoipa::path(
    get,
    path = "/v1/accounts/{account}/exports/{export}",
    tag = "exports",
    params(
        ("account" = String, Path, description = "The account's id"),
        ("export" = String, Path, description = "The export's id"),
    ),
    responses(
        (status = 200, description = "The export", body = ExportBody),
        (status = 404, description = "No such account or export", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path((account, export)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let (config, reach) = app
        .account_data(&caller, Scope::RecordingsRead, &account)
        .await?;
    let viewer = Viewer {
        id: caller.id(),
        reach: &reach,
    };
    let export = app.export(&config.account.id, &export, viewer).await?;
    let download = if export.links && !makes_links(&app, &caller, &config).await? {
        Download::Links
    } else {
        app.export_download(&config, &export).await?
    };
    let no_store = [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    Ok((no_store, Json(shown(&config, export).with(download))).into_response())
}

/// Whether the caller may make links, and so may have those of others: they outlast its right to read.
async fn makes_links(
    app: &AppState,
    caller: &Caller,
    config: &AccountConfig,
) -> Result<bool, Problem> {
    match app
        .account(caller, Scope::RecordingsWrite, &config.account.id)
        .await
    {
        Ok(_) => Ok(true),
        Err(AccessError::Scope(_)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Delete an export
///
/// It is gone when this answers, and the links that were made for it open no more; its file is removed
/// within moments. One that is being made stops. Needs the scope `recordings:read`, and `recordings:write`
/// where it has links or somebody else asked for it.
#[utoipa::path(
    delete,
    path = "/v1/accounts/{account}/exports/{export}",
    tag = "exports",
    params(
        ("account" = String, Path, description = "The account's id"),
        ("export" = String, Path, description = "The export's id"),
    ),
    responses(
        (status = 204, description = "It is gone"),
        (status = 404, description = "No such account or export", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn delete(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path((account, export)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let (config, reach) = app
        .account_data(&caller, Scope::RecordingsRead, &account)
        .await?;
    let viewer = Viewer {
        id: caller.id(),
        reach: &reach,
    };
    let account = config.account.id.as_str();
    let found = app.export(account, &export, viewer).await?;
    if found.links || found.requested_by != caller.id() {
        app.account(&caller, Scope::RecordingsWrite, account)
            .await?;
    }
    app.delete_export(account, &export, viewer, &caller.actor())
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
