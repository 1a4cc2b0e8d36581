//! The `activities` function: reads calls.

mod call;

ringfence_http::routes! {
    call::get,
}
