//! HTTP requests as API Gateway's HTTP APIs hand them over: payload format 2.0.
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>
//!
//! Not by `lambda_http`: it panics at a path or query that is no URI, and takes `?` and `#` of a decoded
//! path for the path's end.

use std::{borrow::Cow, collections::BTreeMap, fmt::Write as _, net::IpAddr};

use axum::{
    Router,
    body::Body,
    extract::Request,
    response::{IntoResponse as _, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use ringfence_http::{ClientAddress, Code, Problem};
use serde::{Deserialize, Serialize};

use crate::EventError;

/// The largest answer that Lambda hands on is 6 MB of JSON; the body is a text in it. What is left of that
/// is for headers.
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
const MAX_BODY_TEXT: usize = 6 * 1024 * 1024 - 32 * 1024;

/// The largest audio of one answer: in base64 it is a third longer.
pub(crate) const MAX_BINARY_BYTES: u64 = 4 * 1024 * 1024;

/// A request as API Gateway hands it over.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Event<'a> {
    version: &'a str,
    /// `GET /v1/accounts/{account}`, or `$default`.
    #[serde(borrow, default)]
    route_key: Cow<'a, str>,
    #[serde(borrow)]
    raw_path: Cow<'a, str>,
    #[serde(borrow, default)]
    raw_query_string: Cow<'a, str>,
    /// Names in lower case; the values of a name that came twice stand with a comma between.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    cookies: Option<Vec<String>>,
    request_context: Context<'a>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
}

#[derive(Deserialize)]
struct Context<'a> {
    #[serde(borrow)]
    http: Http<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Http<'a> {
    #[serde(borrow)]
    method: Cow<'a, str>,
    #[serde(borrow, default)]
    source_ip: Cow<'a, str>,
}

/// What API Gateway makes a response of.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Answer {
    status_code: u16,
    headers: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cookies: Vec<String>,
    body: String,
    is_base64_encoded: bool,
}

/// The request in an event, if it is one.
pub(crate) fn request_in(event: &str) -> Option<Event<'_>> {
    let event: Event<'_> = serde_json::from_str(event).ok()?;
    (event.version == "2.0").then_some(event)
}

/// Answers a request. One whose answer is larger than Lambda hands on is told so; an error, which the caller
/// sees as a 500 of API Gateway's, only where not even that can be said.
pub(crate) async fn answer(router: &Router, event: Event<'_>) -> Result<Answer, EventError> {
    let response = match request(event) {
        Ok(request) => ringfence_http::answer(router, request).await,
        Err(problem) => problem.into_response(),
    };
    if let Some(answer) = answer_of(response).await {
        return Ok(answer);
    }
    tracing::error!("an answer is larger than Lambda hands on, or broke off");
    let problem = Problem::new(Code::Internal)
        .detail("The answer cannot be given in one piece. Ask for a part of it: with Range, or a smaller limit.");
    answer_of(problem.into_response())
        .await
        .ok_or(EventError::Failed)
}

/// A response as API Gateway gets it; `None`: it is too large for that, or its body broke off.
async fn answer_of(response: Response) -> Option<Answer> {
    let (parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, MAX_BODY_TEXT).await.ok()?;
    // Control characters, of which audio is full, would be six times as long in JSON.
    let is_text = |byte: &u8| !byte.is_ascii_control() || b"\t\n\r".contains(byte);
    let (body, is_base64_encoded) = match std::str::from_utf8(&body) {
        Ok(text) if body.iter().all(is_text) => (text.to_owned(), false),
        _ => (STANDARD.encode(&body), true),
    };
    // As JSON has them: these take two characters.
    let escaped = body.bytes().filter(|byte| b"\"\\\t\n\r".contains(byte));
    if body.len() + escaped.count() > MAX_BODY_TEXT {
        return None;
    }
    let (headers, cookies) = split(&parts.headers);
    Some(Answer {
        status_code: parts.status.as_u16(),
        headers,
        cookies,
        body,
        is_base64_encoded,
    })
}

fn request(event: Event<'_>) -> Result<Request, Problem> {
    let body = match event.body {
        None => Body::empty(),
        Some(text) if event.is_base64_encoded => {
            let bytes = STANDARD
                .decode(text)
                .map_err(|_| Problem::new(Code::MalformedBody))?;
            Body::from(bytes)
        }
        Some(text) => Body::from(text),
    };
    let path = greedy(&event.route_key, &event.raw_path);
    let mut uri = encoded(&path, is_in_path);
    if !uri.starts_with('/') {
        uri.insert(0, '/');
    }
    if !event.raw_query_string.is_empty() {
        uri.push('?');
        uri.push_str(&encoded(&event.raw_query_string, is_in_query));
    }
    let method = Method::from_bytes(event.request_context.http.method.as_bytes())
        .map_err(|_| Problem::new(Code::MethodNotAllowed))?;
    let mut request = Request::builder()
        .method(method)
        .uri(uri)
        .body(body)
        .map_err(|_| Problem::new(Code::InvalidPath))?;
    let headers = request.headers_mut();
    for (name, value) in event.headers {
        // A header that is none is as good as not sent.
        if let (Ok(name), Ok(value)) = (
            HeaderName::try_from(name),
            HeaderValue::from_bytes(value.as_bytes()),
        ) {
            headers.append(name, value);
        }
    }
    if let Some(cookies) = event.cookies
        && let Ok(value) = HeaderValue::try_from(cookies.join("; "))
    {
        headers.insert(header::COOKIE, value);
    }
    if let Ok(address) = event.request_context.http.source_ip.parse::<IpAddr>() {
        request
            .extensions_mut()
            .insert(ClientAddress(address.to_canonical()));
    }
    Ok(request)
}

/// The path, with every `/` in what the route's last and greedy parameter stands for encoded again.
///
/// HTTP APIs decode the path, so that a `/` within an id looks like one between segments. A route
/// `GET …/calls/{call+}` says that all that follows is one id. (`{proxy+}` is by custom the rest of a
/// path, and stays as it is.)
fn greedy<'a>(route_key: &str, path: &'a str) -> Cow<'a, str> {
    let Some((_, route)) = route_key.split_once(' ') else {
        return Cow::Borrowed(path);
    };
    let Some((before, last)) = route.rsplit_once('/') else {
        return Cow::Borrowed(path);
    };
    if !last.ends_with("+}") || last == "{proxy+}" {
        return Cow::Borrowed(path);
    }
    let slashes = before.matches('/').count();
    match path.match_indices('/').nth(slashes) {
        Some((at, _)) if path[at + 1..].contains('/') => {
            let (head, id) = path.split_at(at + 1);
            Cow::Owned(format!("{head}{}", id.replace('/', "%2F")))
        }
        _ => Cow::Borrowed(path),
    }
}

/// `text` with everything percent-encoded that cannot stand in a URI as it is. What is encoded already
/// stays so: HTTP APIs decode all of a path but `%25`, and nothing of a query.
fn encoded(text: &str, is_plain: fn(u8) -> bool) -> String {
    let bytes = text.as_bytes();
    let mut encoded = String::with_capacity(text.len() + 16);
    for (at, &byte) in bytes.iter().enumerate() {
        let is_escape = byte == b'%'
            && bytes
                .get(at + 1..at + 3)
                .is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit));
        if is_escape || is_plain(byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// RFC 3986 section 3.3: `pchar`, and `/`.
fn is_in_path(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/".contains(&byte)
}

/// RFC 3986 section 3.4, and what browsers and HTTP clients leave as it is there: signatures of requests
/// are over the query as it was sent.
fn is_in_query(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"\"#<>".contains(&byte)
}

/// Headers as one text each, and cookies apart.
fn split(headers: &HeaderMap) -> (BTreeMap<String, String>, Vec<String>) {
    let mut texts: BTreeMap<String, String> = BTreeMap::new();
    let mut cookies = Vec::new();
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        if name == header::SET_COOKIE {
            cookies.push(value.into_owned());
        } else {
            let text = texts.entry(name.as_str().to_owned()).or_default();
            if !text.is_empty() {
                text.push_str(", ");
            }
            text.push_str(&value);
        }
    }
    (texts, cookies)
}

#[cfg(test)]
mod tests {
    use axum::{
        extract::{Path, RawQuery},
        response::AppendHeaders,
        routing::{get, post},
    };
    use serde_json::{Value, json};

    use super::*;

    fn router() -> Router {
        Router::new()
            .route(
                "/accounts/{account}/calls/{call}",
                get(async |Path(ids): Path<(String, String)>| format!("{ids:?}")),
            )
            .route(
                "/query",
                get(async |RawQuery(query): RawQuery| query.unwrap_or_default()),
            )
            .route(
                "/echo",
                post(async |request: Request| {
                    let headers = request.headers().clone();
                    let address = request
                        .extensions()
                        .get::<ClientAddress>()
                        .map(|address| address.0);
                    let body = axum::body::to_bytes(request.into_body(), 1024)
                        .await
                        .unwrap();
                    let text = |name: &str| {
                        headers
                            .get(name)
                            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
                    };
                    axum::Json(json!({
                        "body": body.to_vec(), "address": address,
                        "cookie": text("cookie"), "accept": text("accept"), "x-odd": text("x-odd"),
                    }))
                }),
            )
            .route("/binary", get(async || vec![0xff, 0x00]))
            .route("/silence", get(async || vec![0; 4_690_000]))
            .route("/noise", get(async || vec![0xff; 4_750_000]))
            .route("/quotes", get(async || "\"".repeat(3_200_000)))
            .route("/text", get(async || "a".repeat(6_250_000)))
            .route(
                "/cookies",
                get(async || {
                    (
                        AppendHeaders([
                            ("set-cookie", "a=1"),
                            ("set-cookie", "b=2"),
                            ("vary", "a"),
                            ("vary", "b"),
                        ]),
                        "ok",
                    )
                }),
            )
    }

    fn event(method: &str, path: &str) -> Value {
        json!({
            "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "",
            "headers": {"host": "api.example"},
            "requestContext": {"http": {"method": method, "path": path, "sourceIp": "203.0.113.7"}},
            "isBase64Encoded": false,
        })
    }

    async fn call(event: &Value) -> Value {
        let text = event.to_string();
        let event = request_in(&text).unwrap();
        serde_json::to_value(answer(&router(), event).await.unwrap()).unwrap()
    }

    #[tokio::test]
    async fn ids_come_through_however_the_path_is_encoded() {
        for (route, path, call_id) in [
            ("$default", "/accounts/acc/calls/a b", "a b"),
            ("$default", "/accounts/acc/calls/Zoë", "Zoë"),
            ("$default", "/accounts/acc/calls/a%2Fb", "a/b"),
            ("$default", "/accounts/acc/calls/a#b?c", "a#b?c"),
            ("$default", "/accounts/acc/calls/100%", "100%"),
            ("$default", "/accounts/acc/calls/a%2541", "a%41"),
            (
                "GET /accounts/{account}/calls/{call+}",
                "/accounts/acc/calls/a/b@c/",
                "a/b@c/",
            ),
            (
                "GET /accounts/{account}/calls/{call+}",
                "/accounts/acc/calls/a",
                "a",
            ),
            (
                "GET /accounts/{account}/calls/{call}",
                "/accounts/acc/calls/..",
                "..",
            ),
        ] {
            let mut event = event("GET", path);
            event["routeKey"] = route.into();
            let answer = call(&event).await;
            assert_eq!(answer["statusCode"], 200, "{path}");
            assert_eq!(answer["body"], format!("{:?}", ("acc", call_id)), "{path}");
        }
        let mut event = event("GET", "/accounts/acc/calls/a/b");
        event["routeKey"] = "GET /{proxy+}".into();
        assert_eq!(call(&event).await["statusCode"], 404);
    }

    #[tokio::test]
    async fn a_query_stays_as_it_was_sent_where_it_can() {
        for (sent, got) in [
            ("a=1&b=%20&c=+&d={|}^", "a=1&b=%20&c=+&d={|}^"),
            ("a=<b> c\"#é&d=%", "a=%3Cb%3E%20c%22%23%C3%A9&d=%"),
        ] {
            let mut event = event("GET", "/query");
            event["rawQueryString"] = sent.into();
            assert_eq!(call(&event).await["body"], got);
        }
    }

    #[tokio::test]
    async fn body_cookies_headers_and_address() {
        let mut event = event("POST", "/echo");
        event["body"] = STANDARD.encode([0xff, 0x00]).into();
        event["isBase64Encoded"] = true.into();
        event["cookies"] = json!(["a=1", "b=2"]);
        event["headers"]["accept"] = "text/html,application/json".into();
        event["headers"]["x-odd"] = "Zoë".into();
        event["headers"]["no header"] = "x".into();
        let answer = call(&event).await;
        let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
        let expected = json!({
            "body": [255, 0], "address": "203.0.113.7", "cookie": "a=1; b=2",
            "accept": "text/html,application/json", "x-odd": "Zoë",
        });
        assert_eq!(body, expected);
    }

    #[tokio::test]
    async fn answers_are_text_or_base64_with_cookies_apart() {
        let answer = call(&event("GET", "/cookies")).await;
        assert_eq!(answer["cookies"], json!(["a=1", "b=2"]));
        assert_eq!(answer["headers"]["vary"], "a, b");
        assert_eq!(
            (&answer["body"], &answer["isBase64Encoded"]),
            (&json!("ok"), &json!(false))
        );
        let answer = call(&event("GET", "/binary")).await;
        assert_eq!(
            (&answer["body"], &answer["isBase64Encoded"]),
            (&json!("/wA="), &json!(true))
        );
    }

    #[tokio::test]
    async fn as_much_as_lambda_hands_on_comes_through_and_more_is_a_problem() {
        for (path, status) in [
            ("/silence", 200),
            ("/text", 200),
            ("/noise", 500),
            ("/quotes", 500),
        ] {
            let answer = call(&event("GET", path)).await;
            assert_eq!(answer["statusCode"], status, "{path}");
            assert!(answer.to_string().len() <= 6 * 1024 * 1024, "{path}");
            let is_problem = answer["headers"]["content-type"] == "application/problem+json";
            assert_eq!(is_problem, status == 500, "{path}");
        }
    }

    #[tokio::test]
    async fn a_request_that_cannot_be_is_a_problem_and_what_is_none_is_told_apart() {
        let mut event = event("POST", "/echo");
        event["body"] = "no base64!".into();
        event["isBase64Encoded"] = true.into();
        let answered = call(&event).await;
        assert_eq!(answered["statusCode"], 400);
        assert_eq!(
            answered["headers"]["content-type"],
            "application/problem+json"
        );
        event["requestContext"]["http"]["method"] = "GE T".into();
        event["isBase64Encoded"] = false.into();
        assert_eq!(call(&event).await["statusCode"], 405);
        event["version"] = "1.0".into();
        for event in ["null".to_owned(), "{}".to_owned(), event.to_string()] {
            assert!(request_in(&event).is_none(), "{event}");
        }
    }
}
