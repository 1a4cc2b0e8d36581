//! Answers that endpoints of several functions give: documents with an `ETag`, pages, what was made.

use axum::{
    Json,
    response::{IntoResponse as _, Response},
};
use http::{HeaderValue, StatusCode, header};
use ringfence_domain::{id, settings::Listed};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Code, PageQuery, Problem, cursor, etag};

/// 200 with a document that has an `ETag`.
pub fn document<T: Serialize>(version: u64, body: &T) -> Response {
    ([(header::ETAG, etag(version))], Json(body)).into_response()
}

/// 200 with what has no `ETag`.
pub fn plain<T: Serialize>(body: &T) -> Response {
    Json(body).into_response()
}

/// 201 with where it is.
pub fn created<T: Serialize>(location: &str, version: u64, body: &T) -> Response {
    let mut response = (
        StatusCode::CREATED,
        [(header::ETAG, etag(version))],
        Json(body),
    )
        .into_response();
    // Ids make a header value.
    if let Ok(location) = HeaderValue::from_str(location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

/// An answer that holds a secret: no cache on the way may keep it.
pub fn unstored<T: Serialize>(status: StatusCode, body: &T) -> Response {
    (
        status,
        [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))],
        Json(body),
    )
        .into_response()
}

/// A page of a list on the wire.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct PageBody<T> {
    /// In the order of their making.
    pub items: Vec<T>,
    /// The `cursor` of the next page; null: there is no more.
    pub next_cursor: Option<String>,
}

/// Which page of which list.
pub struct Page {
    /// The most items.
    pub limit: usize,
    /// The id that the page before ended with.
    pub after: Option<String>,
    scope: Vec<String>,
}

impl Page {
    /// Reads a cursor that [`Page::answer`] made for the same `scope`, of ids of one kind.
    pub fn read(query: &PageQuery, kind: id::Kind, scope: &[&str]) -> Result<Self, Problem> {
        let after: Option<String> = query
            .cursor
            .as_deref()
            .map(|cursor| cursor::decode(scope, cursor))
            .transpose()?;
        if after.as_deref().is_some_and(|after| !kind.matches(after)) {
            return Err(Problem::new(Code::InvalidCursor));
        }
        let scope = scope.iter().map(|part| (*part).to_owned()).collect();
        Ok(Self {
            limit: query.limit,
            after,
            scope,
        })
    }

    /// 200 with the page.
    pub fn answer<T: Serialize>(&self, listed: Listed<T>) -> Response {
        let scope: Vec<_> = self.scope.iter().map(String::as_str).collect();
        let next_cursor = listed.next.map(|next| cursor::encode(&scope, &next));
        plain(&PageBody {
            items: listed.items,
            next_cursor,
        })
    }
}
