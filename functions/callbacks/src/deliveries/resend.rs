//! `POST /v1/accounts/{account}/deliveries/{delivery}/resend`

use axum::{
    Json,
    extract::{Path, State},
};
use http::StatusCode;
use ringfence_domain::{access::Scope, callback::delivery::Delivery};
use ringfence_http::{AppState, Authenticated, Problem, problem::ProblemBody};

/// Send a delivery again
///
/// Queues it at once, whatever became of it, with the same `webhook-id` and a fresh retry schedule.
/// Needs the scope `deliveries:write`.
#[utoipa::path(
    post,
    path = "/v1/accounts/{account}/deliveries/{delivery}/resend",
    tag = "deliveries",
    params(
        ("account" = String, Path, description = "The account's id"),
        ("delivery" = String, Path, description = "The delivery's id"),
    ),
    responses(
        (status = 202, description = "The delivery, queued", body = serde_json::Value),
        (status = 404, description = "No such account or delivery", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 409, description = "The callback has no URL, the event was erased, or an attempt is being recorded", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn post(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path((account, delivery)): Path<(String, String)>,
) -> Result<(StatusCode, Json<Delivery>), Problem> {
    let config = app
        .account(&caller, Scope::DeliveriesWrite, &account)
        .await?;
    let delivery = app.resend(&config, &delivery, &caller.actor()).await?;
    Ok((StatusCode::ACCEPTED, Json(delivery)))
}
