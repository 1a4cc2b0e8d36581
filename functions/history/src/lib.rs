//! The `history` function: reads the change history of agencies and accounts.

mod accounts;
mod agencies;
mod page;
#[cfg(test)]
mod tests;

ringfence_http::routes! {
    accounts::account::history::get::get,
    agencies::agency::history::get::get,
}
