//! The `notices` function: billing notices from the billing system, and the notices that could not be
//! sent.

mod accounts;
mod agencies;
mod unsent;
mod unsent_notices;

ringfence_http::routes! {
    accounts::account::billing_notices::post::post,
    agencies::agency::unsent_notices::get::get,
    unsent_notices::get::get,
}
