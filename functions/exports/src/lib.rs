//! The `exports` function: ask for an account's recordings as a file, with links or without; see how far
//! that is, get the file, delete it. The work itself is done by the `jobs` function.

mod exports;

ringfence_http::routes! {
    exports::get::get,
    exports::post::post,
    exports::one::get,
    exports::one::delete,
}
