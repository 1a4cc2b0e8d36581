//! The `settings` function: agencies and accounts, their settings, signing secrets and API keys.

mod accounts;
mod agencies;
mod answer;
pub mod bootstrap;
mod documents;
mod keys;
mod secrets;
mod tenants;
#[cfg(test)]
mod tests;

use ringfence_http::AppState;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The routes of this function.
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(
            accounts::account::get::get,
            accounts::account::patch::patch
        ))
        .routes(routes!(
            accounts::account::api_keys::get::get,
            accounts::account::api_keys::post::post
        ))
        .routes(routes!(accounts::account::api_keys::key::delete::delete))
        .routes(routes!(
            accounts::account::callbacks::callback::secret::rotate::post::post
        ))
        .routes(routes!(
            accounts::account::callbacks::callback::secrets::get::get
        ))
        .routes(routes!(
            accounts::account::settings::callbacks::get::get,
            accounts::account::settings::callbacks::put::put,
            accounts::account::settings::callbacks::patch::patch
        ))
        .routes(routes!(
            accounts::account::settings::security::get::get,
            accounts::account::settings::security::put::put,
            accounts::account::settings::security::patch::patch
        ))
        .routes(routes!(
            accounts::account::settings::sources::get::get,
            accounts::account::settings::sources::put::put,
            accounts::account::settings::sources::patch::patch
        ))
        .routes(routes!(agencies::get::get, agencies::post::post))
        .routes(routes!(
            agencies::agency::get::get,
            agencies::agency::patch::patch
        ))
        .routes(routes!(
            agencies::agency::accounts::get::get,
            agencies::agency::accounts::post::post
        ))
        .routes(routes!(
            agencies::agency::api_keys::get::get,
            agencies::agency::api_keys::post::post
        ))
        .routes(routes!(agencies::agency::api_keys::key::delete::delete))
        .routes(routes!(
            agencies::agency::callbacks::callback::secret::rotate::post::post
        ))
        .routes(routes!(
            agencies::agency::callbacks::callback::secrets::get::get
        ))
        .routes(routes!(
            agencies::agency::settings::callbacks::get::get,
            agencies::agency::settings::callbacks::put::put,
            agencies::agency::settings::callbacks::patch::patch
        ))
        .routes(routes!(
            agencies::agency::settings::security::get::get,
            agencies::agency::settings::security::put::put,
            agencies::agency::settings::security::patch::patch
        ))
}
