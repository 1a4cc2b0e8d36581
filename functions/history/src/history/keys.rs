//! `GET /v1/history/keys`

use axum::{Json, extract::State};
use ringfence_http::{AppState, Problem};
use serde_json::{Value, json};

/// Get the public key of checkpoints
///
/// As a JSON Web Key Set (RFC 7517, RFC 8037). Keep it with the checkpoints: `ringfence history verify`
/// takes it. Open to everybody.
#[utoipa::path(
    get,
    path = "/v1/history/keys",
    operation_id = "listHistoryKeys",
    tag = "history",
    responses(
        (status = 200, description = "The keys", body = Value, example = json!({"keys": [{
            "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
            "kid": "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k", "alg": "EdDSA", "use": "sig",
        }]})),
    ),
    security(()),
)]
pub(crate) async fn get(State(app): State<AppState>) -> Result<Json<Value>, Problem> {
    Ok(Json(json!({ "keys": [app.history_key().await?] })))
}
