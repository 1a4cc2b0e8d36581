use axum::extract::{FromRequestParts, Query};
use http::request::Parts;
use serde::{Deserialize, de::DeserializeOwned};

use crate::{Code, Problem};

/// The most items of a page.
pub const MAX_PAGE_ITEMS: usize = 100;
/// The items of a page where nothing is asked.
const DEFAULT_PAGE_ITEMS: usize = 50;

/// The query parameters of a request; what `T` does not know, or cannot read, answers 400.
#[derive(Debug)]
pub struct StrictQuery<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for StrictQuery<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        // The cause may quote what was sent.
        Query::try_from_uri(&parts.uri).map(|Query(query)| Self(query)).map_err(|_| {
            Problem::new(Code::InvalidQuery)
                .detail("A query parameter is unknown, given twice, or has a value that it cannot have.")
        })
    }
}

/// Which page of a list: `limit` (1 to 100, 50 unless given) and `cursor`, not yet read.
#[derive(Debug)]
pub struct PageQuery {
    /// The most items wanted.
    pub limit: usize,
    /// Where the page before ended; read it with [`crate::cursor::decode`].
    pub cursor: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPageQuery {
    limit: Option<usize>,
    cursor: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for PageQuery {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let StrictQuery(raw) =
            StrictQuery::<RawPageQuery>::from_request_parts(parts, state).await?;
        let limit = raw.limit.unwrap_or(DEFAULT_PAGE_ITEMS);
        if !(1..=MAX_PAGE_ITEMS).contains(&limit) {
            return Err(Problem::new(Code::InvalidQuery)
                .detail(format!("limit must be from 1 to {MAX_PAGE_ITEMS}.")));
        }
        Ok(Self {
            limit,
            cursor: raw.cursor,
        })
    }
}
