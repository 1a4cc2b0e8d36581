//! The `deletion` function: delete recordings, one or many; watch, stop and resume that, and read its
//! receipt; place and release legal holds. The work itself is done by the `jobs` function.

mod deletions;
mod holds;
mod recordings;

ringfence_http::routes! {
    recordings::delete::delete,
    deletions::get::get,
    deletions::post::post,
    deletions::one::get,
    deletions::stop::post,
    deletions::resume::post,
    holds::get::get,
    holds::post::post,
    holds::one::get,
    holds::one::delete,
}
