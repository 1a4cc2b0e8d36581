//! `GET /v1/accounts/{account}/deliveries/{delivery}`

use axum::{
    Json,
    extract::{Path, State},
};
use ringfence_domain::{access::Scope, callback::log::DeliveryDetail};
use ringfence_http::{AppState, Authenticated, Problem, problem::ProblemBody};

/// Read a delivery
///
/// Every attempt, and the body as it is sent now: masked when masking of callbacks or of the console
/// is on. Needs the scope `deliveries:read`.
#[utoipa::path(
    get,
    path = "/v1/accounts/{account}/deliveries/{delivery}",
    tag = "deliveries",
    params(
        ("account" = String, Path, description = "The account's id"),
        ("delivery" = String, Path, description = "The delivery's id, which is also its webhook-id"),
    ),
    responses(
        (status = 200, description = "The delivery", body = serde_json::Value),
        (status = 404, description = "No such account or delivery", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path((account, delivery)): Path<(String, String)>,
) -> Result<Json<DeliveryDetail>, Problem> {
    let config = app
        .account(&caller, Scope::DeliveriesRead, &account)
        .await?;
    Ok(Json(app.delivery(&config, &delivery).await?))
}
