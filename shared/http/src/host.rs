use std::panic::AssertUnwindSafe;

use axum::{
    Router,
    body::Body,
    extract::Request,
    response::{IntoResponse, Response},
};
use futures_util::FutureExt as _;
use http::{HeaderValue, StatusCode, header};
use tower::Service as _;

use crate::{Code, Problem};

/// The longest text of a rejection that is passed on, in characters.
const MAX_REASON: usize = 300;

/// What a rejection of axum has as its body at most, in bytes.
const MAX_REJECTION: usize = 16 * 1024;

/// Calls a router the way every host of one does, so that all answers keep the API's promises:
///
/// - every error is problem+json: an unknown path, a wrong method (with its `Allow`), and what an
///   extractor of axum rejects included;
/// - a handler that panics answers 500 and takes nothing else down with it; what the panic says is
///   told to nobody;
/// - nothing is cached unless the handler says so, and no content type is guessed.
pub async fn answer(router: &Router, request: Request) -> Response {
    let mut router = router.clone();
    let called = AssertUnwindSafe(async move { router.call(request).await })
        .catch_unwind()
        .await;
    let mut response = match called {
        Ok(Ok(response)) => response,
        Err(_) => {
            tracing::error!("a handler panicked");
            Problem::new(Code::Internal).into_response()
        }
    };
    if response.status().is_client_error() || response.status().is_server_error() {
        response = as_problem(response).await;
    }
    let headers = response.headers_mut();
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}

/// An error that is not problem+json yet comes from axum, not from a handler.
async fn as_problem(response: Response) -> Response {
    let is_problem = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| {
            let kind = kind.as_bytes();
            // A page for people says the same in their words.
            kind.starts_with(b"application/problem+json") || kind.starts_with(b"text/html")
        });
    if is_problem {
        return response;
    }
    let (parts, body) = response.into_parts();
    let problem = match parts.status {
        StatusCode::BAD_REQUEST => rejection(body).await,
        status => Problem::new(
            Code::ALL
                .into_iter()
                .find(|code| code.status() == status)
                .unwrap_or_else(|| {
                    tracing::error!(status = status.as_u16(), "an error without a problem");
                    Code::Internal
                }),
        ),
    };
    let mut response = problem.into_response();
    if let Some(allow) = parts.headers.get(header::ALLOW) {
        response.headers_mut().insert(header::ALLOW, allow.clone());
    }
    response
}

/// What axum's `Path` or `Query` has against a request.
async fn rejection(body: Body) -> Problem {
    let text = axum::body::to_bytes(body, MAX_REJECTION)
        .await
        .unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    match text.strip_prefix("Failed to deserialize query string: ") {
        Some(reason) => {
            let reason: String = reason
                .chars()
                .filter(|c| !c.is_control())
                .take(MAX_REASON)
                .collect();
            Problem::new(Code::InvalidQuery).detail(format!("In the query: {reason}."))
        }
        None => Problem::new(Code::InvalidPath),
    }
}

#[cfg(test)]
mod tests {
    use axum::{
        extract::{Path, Query},
        routing::get,
    };
    use serde::Deserialize;
    use serde_json::Value;

    use super::*;

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Page {
        limit: Option<u8>,
    }

    fn router() -> Router {
        Router::new()
            .route("/things/{id}", get(async |Path(id): Path<String>| id))
            .route(
                "/things",
                get(async |Query(page): Query<Page>| format!("{:?}", page.limit)),
            )
            .route(
                "/broken",
                get(async || -> String { panic!("the number is +14155550132") }),
            )
            .route(
                "/cached",
                get(async || ([(header::CACHE_CONTROL, "max-age=60")], "yes")),
            )
    }

    async fn call(method: &str, path: &str) -> (StatusCode, http::HeaderMap, Vec<u8>) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .body(Body::empty())
            .unwrap();
        let (parts, body) = answer(&router(), request).await.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        (parts.status, parts.headers, body.to_vec())
    }

    #[tokio::test]
    async fn what_axum_itself_refuses_is_a_problem_too() {
        for (method, path, status, kind) in [
            ("GET", "/nowhere", 404, "not-found"),
            ("POST", "/things", 405, "method-not-allowed"),
            ("GET", "/things?limit=many", 400, "invalid-query"),
            ("GET", "/things?colour=red", 400, "invalid-query"),
            ("GET", "/things/%ff", 400, "invalid-path"),
        ] {
            let (found, headers, body) = call(method, path).await;
            assert_eq!(found, status, "{method} {path}");
            assert_eq!(
                headers[header::CONTENT_TYPE],
                "application/problem+json",
                "{method} {path}"
            );
            let body: Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(body["type"], format!("/problems/{kind}"), "{method} {path}");
            assert_eq!(body["status"], status, "{method} {path}");
        }
        let (_, headers, _) = call("POST", "/things").await;
        assert_eq!(headers[header::ALLOW], "GET,HEAD");
        let (_, _, body) = call("GET", "/things?limit=many").await;
        assert!(
            String::from_utf8(body).unwrap().contains("limit"),
            "the parameter is named"
        );
    }

    #[tokio::test]
    async fn a_panic_is_a_500_that_tells_nothing() {
        let (status, _, body) = call("GET", "/broken").await;
        assert_eq!(status, 500);
        let body = String::from_utf8(body).unwrap();
        assert!(
            body.contains("/problems/internal") && !body.contains("number"),
            "{body}"
        );
    }

    #[tokio::test]
    async fn nothing_is_cached_or_guessed_unless_the_handler_says_so() {
        let (_, headers, body) = call("GET", "/things/a").await;
        assert_eq!(body, b"a");
        assert_eq!(headers[header::CACHE_CONTROL], "no-store");
        assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        let (_, headers, _) = call("GET", "/cached").await;
        assert_eq!(headers[header::CACHE_CONTROL], "max-age=60");
    }
}
