//! The `session` function: logging in and out, second factors, invitations and new passwords, as an API
//! and as pages.

mod answer;
mod invitations;
mod pages;
mod password_resets;
mod qr;
mod session;
mod sessions;

use axum::Router;
use ringfence_http::AppState;
use utoipa_axum::router::OpenApiRouter;

mod api {
    use crate::{invitations, password_resets, session, sessions};

    ringfence_http::routes! {
        session::post::post,
        session::get::get,
        session::delete::delete,
        session::second_factor::post,
        session::second_factor::send,
        session::heartbeat::post,
        session::confirm::post,
        session::confirm::send,
        session::password::put,
        session::two_factor::get::get,
        session::two_factor::app::post,
        session::two_factor::app::confirm,
        session::two_factor::app::delete,
        session::two_factor::sms::post,
        session::two_factor::sms::confirm,
        session::two_factor::sms::delete,
        session::two_factor::recovery_codes::post,
        sessions::get,
        sessions::delete,
        password_resets::post,
        password_resets::complete,
        invitations::accept,
    }
}

/// The routes of this function, and their `OpenAPI` document, which leaves the pages out.
pub fn router() -> OpenApiRouter<AppState> {
    api::router().merge(pages::router().into())
}

/// The routes of this function.
pub fn plain_router() -> Router<AppState> {
    api::plain_router().merge(pages::router())
}
