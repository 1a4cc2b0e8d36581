//! The `playback` function: what stands behind a link to a recording.
//!
//! The page is inert: looking at it (GET, HEAD) spends nothing, charges nothing and is not listening,
//! so that mail scanners and preview bots do no harm. Only a PIN that is posted and audio that is
//! fetched do something.

mod assets;
mod audio;
mod door;
mod key;
mod page;
mod pages;
mod words;

use axum::{
    Router,
    response::Response,
    routing::{any, get},
};
use http::HeaderMap;
use ringfence_http::AppState;
use utoipa_axum::router::OpenApiRouter;

mod api {
    use crate::{audio, key, page};

    ringfence_http::routes! {
        page::get,
        page::post,
        audio::get,
        key::get,
    }
}

/// The routes of this function, and their `OpenAPI` document, which leaves the pages' own files out.
pub fn router() -> OpenApiRouter<AppState> {
    api::router().merge(files().into())
}

/// The routes of this function.
pub fn plain_router() -> Router<AppState> {
    api::plain_router().merge(files())
}

fn files() -> Router<AppState> {
    let strange = ["/r/", "/r/{token}/", "/r/{token}/{*other}", "/r/-/{*other}"];
    strange
        .into_iter()
        .fold(Router::new(), |router, path| {
            router.route(path, any(unknown))
        })
        .route("/r/-/style.css", get(assets::style))
        .route("/r/-/player.js", get(assets::player))
        .route("/r/-/icon.svg", get(assets::icon))
}

/// A link that a slash got into is no link either, and looks like any other that was never made.
async fn unknown(headers: HeaderMap) -> Response {
    pages::unknown(pages::Form::of(&headers))
}
