//! The `settings` function: agencies and accounts, their settings, signing secrets and API keys.

mod accounts;
mod agencies;
pub mod bootstrap;
mod documents;
mod keys;
mod secrets;
mod tenants;
#[cfg(test)]
mod tests;

use ringfence_http::answer;

ringfence_http::routes! {
    accounts::account::get::get,
    accounts::account::patch::patch,
    accounts::account::api_keys::get::get,
    accounts::account::api_keys::post::post,
    accounts::account::api_keys::key::delete::delete,
    accounts::account::callbacks::callback::secret::rotate::post::post,
    accounts::account::callbacks::callback::secrets::get::get,
    accounts::account::settings::callbacks::get::get,
    accounts::account::settings::callbacks::put::put,
    accounts::account::settings::callbacks::patch::patch,
    accounts::account::settings::recordings::get::get,
    accounts::account::settings::recordings::put::put,
    accounts::account::settings::recordings::patch::patch,
    accounts::account::settings::security::get::get,
    accounts::account::settings::security::put::put,
    accounts::account::settings::security::patch::patch,
    accounts::account::settings::sources::get::get,
    accounts::account::settings::sources::put::put,
    accounts::account::settings::sources::patch::patch,
    agencies::get::get,
    agencies::post::post,
    agencies::agency::get::get,
    agencies::agency::patch::patch,
    agencies::agency::accounts::get::get,
    agencies::agency::accounts::post::post,
    agencies::agency::api_keys::get::get,
    agencies::agency::api_keys::post::post,
    agencies::agency::api_keys::key::delete::delete,
    agencies::agency::callbacks::callback::secret::rotate::post::post,
    agencies::agency::callbacks::callback::secrets::get::get,
    agencies::agency::settings::callbacks::get::get,
    agencies::agency::settings::callbacks::put::put,
    agencies::agency::settings::callbacks::patch::patch,
    agencies::agency::settings::recordings::get::get,
    agencies::agency::settings::recordings::put::put,
    agencies::agency::settings::recordings::patch::patch,
    agencies::agency::settings::security::get::get,
    agencies::agency::settings::security::put::put,
    agencies::agency::settings::security::patch::patch,
}
