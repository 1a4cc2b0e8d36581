//! What the pages load: their own files, the same for everybody.

use axum::response::Response;
use ringfence_http::pages::{ICON, STYLE, file};

pub(crate) async fn style() -> Response {
    file("text/css; charset=utf-8", STYLE)
}

pub(crate) async fn player() -> Response {
    file(
        "text/javascript; charset=utf-8",
        include_str!("../assets/player.js"),
    )
}

pub(crate) async fn icon() -> Response {
    file("image/svg+xml", ICON)
}
