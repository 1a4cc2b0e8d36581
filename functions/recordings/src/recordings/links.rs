//! `/v1/accounts/{account}/recordings/{recording}/links`

use axum::{
    Json,
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use jiff::Timestamp;
use ringfence_domain::{
    access::Scope,
    link::{LinkState, ListedLink, NewLink, Purpose},
};
use ringfence_http::{
    AppState, Authenticated, PageQuery, Problem, StrictJson, cursor, problem::ProblemBody,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

/// A link as it is shown: everything but its URL.
#[derive(Serialize, ToSchema)]
pub(crate) struct LinkBody {
    id: String,
    recording_id: String,
    /// api, callback, export or mail
    #[schema(value_type = String)]
    purpose: Purpose,
    /// The export that it was made for.
    #[serde(skip_serializing_if = "Option::is_none")]
    export_id: Option<String>,
    created_by: String,
    #[schema(value_type = String)]
    created_at: Timestamp,
    /// When it ends under the settings of now; null: never.
    #[schema(value_type = Option<String>)]
    expires_at: Option<Timestamp>,
    /// active, expired or revoked
    #[schema(value_type = String)]
    state: LinkState,
    /// Only in the answer that makes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
}

impl From<ListedLink> for LinkBody {
    fn from(listed: ListedLink) -> Self {
        Self {
            id: listed.link.id,
            recording_id: listed.link.recording,
            purpose: listed.link.purpose,
            export_id: listed.link.export,
            created_by: listed.link.created_by,
            created_at: listed.link.created_at,
            expires_at: listed.ends_at,
            state: listed.state,
            url: None,
        }
    }
}

/// What a link is asked to be.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LinkRequest {
    /// When it shall end, if that is sooner than the account's days say (RFC 3339).
    expires_at: Option<String>,
    /// api, export or mail; api unless given.
    #[schema(value_type = Option<String>)]
    purpose: Option<Purpose>,
}

/// List the links to a recording
///
/// Oldest first, with how each stands now. Their URLs are not kept. Needs the scope `recordings:read`.
#[utoipa::path(
    get,
    path = "/v1/accounts/{account}/recordings/{recording}/links",
    tag = "recordings",
    params(
        ("account" = String, Path, description = "The account's id"),
        ("recording" = String, Path, description = "The recording's id"),
        ("limit" = Option<u16>, Query, description = "1 to 100, 50 unless given"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses(
        (status = 200, description = "A page", body = serde_json::Value, example = json!({"items": [{
            "id": "lnk_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b", "recording_id": "rec_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b",
            "purpose": "api", "created_by": "key_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b", "created_at": "2026-01-31T09:00:00Z",
            "expires_at": "2026-03-02T09:00:00Z", "state": "active",
        }], "next_cursor": null})),
        (status = 404, description = "No such account or recording", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path((account, recording)): Path<(String, String)>,
    query: Result<PageQuery, Problem>,
) -> Result<Json<Value>, Problem> {
    let (config, reach) = app
        .account_data(&caller, Scope::RecordingsRead, &account)
        .await?;
    let query = query?;
    app.recording_within(&reach, &config.account.id, &recording)
        .await?;
    let scope = [config.account.id.as_str(), "links", &recording];
    let after = query
        .cursor
        .as_deref()
        .map(|cursor| cursor::decode(&scope, cursor))
        .transpose()?;
    let (links, next) = app
        .links(&config.account.id, &recording, query.limit, after)
        .await?;
    let items: Vec<LinkBody> = links.into_iter().map(Into::into).collect();
    let next = next.map(|next| cursor::encode(&scope, &next));
    Ok(Json(json!({ "items": items, "next_cursor": next })))
}

/// Make a link to a recording
///
/// Its URL is in this answer and nowhere else. Without a body it ends when the account's settings say, or sooner if
/// asked. Needs the scope `recordings:write`.
#[utoipa::path(
    post,
    path = "/v1/accounts/{account}/recordings/{recording}/links",
    tag = "recordings",
    params(
        ("account" = String, Path, description = "The account's id"),
        ("recording" = String, Path, description = "The recording's id"),
    ),
    request_body(content = LinkRequest, example = json!({"expires_at": "2026-02-07T12:00:00Z"})),
    responses(
        (status = 201, description = "The link, with its URL", body = LinkBody),
        (status = 400, description = "A field is wrong", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "No such account or recording", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 409, description = "No audio has arrived yet", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 410, description = "The recording was deleted", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn post(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path((account, recording)): Path<(String, String)>,
    body: Result<Option<StrictJson<LinkRequest>>, Problem>,
) -> Result<Response, Problem> {
    let config = app
        .account(&caller, Scope::RecordingsWrite, &account)
        .await?;
    let body = body?.map(|StrictJson(body)| body).unwrap_or_default();
    let expires_at = body
        .expires_at
        .map(|at| at.parse::<Timestamp>())
        .transpose()
        .map_err(|_| {
            Problem::field(
                "expires_at",
                "invalid_value",
                "must be an instant in RFC 3339",
            )
        })?;
    let purpose = match body.purpose {
        Some(Purpose::Callback) => {
            return Err(Problem::field(
                "purpose",
                "unknown_value",
                "must be api, export or mail",
            ));
        }
        purpose => purpose.unwrap_or(Purpose::Api),
    };
    let made = app
        .create_link(
            &config.account.id,
            &recording,
            purpose,
            expires_at,
            &caller.actor(),
        )
        .await?;
    let NewLink {
        link,
        token,
        ends_at,
    } = made;
    let url = app.link_url(&token);
    let listed = ListedLink {
        link,
        ends_at,
        state: LinkState::Active,
    };
    let body = LinkBody {
        url: Some(url),
        ..listed.into()
    };
    let no_store = [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    Ok((StatusCode::CREATED, no_store, Json(body)).into_response())
}

/// Revoke all links to a recording
///
/// Those that there are; new ones can be made. Needs the scope `recordings:write`.
#[utoipa::path(
    delete,
    path = "/v1/accounts/{account}/recordings/{recording}/links",
    tag = "recordings",
    params(
        ("account" = String, Path, description = "The account's id"),
        ("recording" = String, Path, description = "The recording's id"),
    ),
    responses(
        (status = 204, description = "None opens any more"),
        (status = 404, description = "No such account or recording", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn delete(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path((account, recording)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let config = app
        .account(&caller, Scope::RecordingsWrite, &account)
        .await?;
    app.revoke_links(&config.account.id, &recording, &caller.actor())
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
