//! Notices that were given up, on the wire.

use axum::Json;
use ringfence_domain::{App, access::Owner, notification};
use ringfence_http::{PageQuery, Problem, cursor};
use serde::Serialize;
use utoipa::ToSchema;

/// A page, newest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct UnsentNoticesPage {
    /// The notices.
    #[schema(value_type = Vec<UnsentNoticeBody>)]
    items: Vec<notification::UnsentNotice>,
    /// The `cursor` of the next page; null: there is no more.
    next_cursor: Option<String>,
}

/// A notice that was given up.
#[derive(ToSchema)]
#[schema(as = UnsentNotice)]
#[expect(
    dead_code,
    reason = "describes ringfence_domain::notification::UnsentNotice, which is what is sent"
)]
pub(crate) struct UnsentNoticeBody {
    /// `ntc_…`
    id: String,
    /// Of what kind it was: invitation, `password_reset`, billing …
    kind: String,
    /// To whom: `usr_…`; null: to a phone.
    user: Option<String>,
    /// How often it was tried.
    attempts: u32,
    /// Why it was given up.
    reason: String,
    /// When it was ordered.
    #[schema(format = DateTime)]
    created_at: String,
    /// When it was given up.
    #[schema(format = DateTime)]
    ended_at: String,
}

/// A page of those that were for people of `home`.
pub(crate) async fn page_of(
    app: &App,
    home: Owner,
    page: PageQuery,
) -> Result<Json<UnsentNoticesPage>, Problem> {
    let scope = [home.as_str(), "unsent-notices"];
    let after = page
        .cursor
        .as_deref()
        .map(|cursor| cursor::decode(&scope, cursor))
        .transpose()?;
    let (items, next) = app.unsent_notices(&home, page.limit, after).await?;
    let next_cursor = next.map(|next| cursor::encode(&scope, &next));
    Ok(Json(UnsentNoticesPage { items, next_cursor }))
}
