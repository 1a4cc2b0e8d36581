//! The `people` function: users and their roles, access control groups, teams, support access, and one's
//! own profile.

mod accounts;
mod agencies;
mod groups;
mod me;
mod operators;
mod page;
mod support;
mod teams;
mod users;

use axum::Router;
use ringfence_http::AppState;
use utoipa_axum::router::OpenApiRouter;

mod api {
    use crate::{accounts, agencies, me, operators};

    ringfence_http::routes! {
        accounts::account::teams::get::get,
        accounts::account::teams::post::post,
        accounts::account::teams::team::delete::delete,
        accounts::account::teams::team::get::get,
        accounts::account::teams::team::patch::patch,
        accounts::account::users::get::get,
        accounts::account::users::post::post,
        accounts::account::users::user::call_rights::get::get,
        accounts::account::users::user::delete::delete,
        accounts::account::users::user::get::get,
        accounts::account::users::user::invitation::post::post,
        accounts::account::users::user::patch::patch,
        accounts::account::users::user::reactivate::post::post,
        accounts::account::users::user::suspend::post::post,
        accounts::account::users::user::two_factor::delete::delete,
        agencies::agency::access_groups::get::get,
        agencies::agency::access_groups::group::delete::delete,
        agencies::agency::access_groups::group::get::get,
        agencies::agency::access_groups::group::patch::patch,
        agencies::agency::access_groups::post::post,
        agencies::agency::support_access::delete::delete,
        agencies::agency::support_access::get::get,
        agencies::agency::support_access::put::put,
        agencies::agency::users::get::get,
        agencies::agency::users::post::post,
        agencies::agency::users::user::delete::delete,
        agencies::agency::users::user::erasure::post::post,
        agencies::agency::users::user::get::get,
        agencies::agency::users::user::invitation::post::post,
        agencies::agency::users::user::patch::patch,
        agencies::agency::users::user::reactivate::post::post,
        agencies::agency::users::user::suspend::post::post,
        agencies::agency::users::user::two_factor::delete::delete,
        me::get::get,
        me::patch::patch,
        operators::get::get,
        operators::post::post,
        operators::user::delete::delete,
        operators::user::erasure::post::post,
        operators::user::get::get,
        operators::user::invitation::post::post,
        operators::user::patch::patch,
        operators::user::reactivate::post::post,
        operators::user::suspend::post::post,
        operators::user::two_factor::delete::delete,
    }
}

/// The routes of this function, and their `OpenAPI` document, which leaves the page out.
pub fn router() -> OpenApiRouter<AppState> {
    api::router().merge(page::router().into())
}

/// The routes of this function.
pub fn plain_router() -> Router<AppState> {
    api::plain_router().merge(page::router())
}
