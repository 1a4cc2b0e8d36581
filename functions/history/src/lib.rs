//! The `history` function: the change history of agencies, accounts and the platform; its proof; erasure
//! of personal values in it.

mod accounts;
mod agencies;
mod erasure;
mod file;
mod history;
mod owner;
mod page;
mod proof;
#[cfg(test)]
mod tests;

ringfence_http::routes! {
    accounts::account::history::get::get,
    accounts::account::history::export::get,
    accounts::account::history::checkpoint::get,
    accounts::account::history::verification::post,
    accounts::account::history::redactions::post,
    accounts::account::history::entry::redaction::post,
    agencies::agency::history::get::get,
    agencies::agency::history::export::get,
    agencies::agency::history::checkpoint::get,
    agencies::agency::history::verification::post,
    agencies::agency::history::redactions::post,
    agencies::agency::history::entry::redaction::post,
    history::get::get,
    history::export::get,
    history::checkpoint::get,
    history::verification::post,
    history::redactions::post,
    history::entry::redaction::post,
    history::keys::get,
}
