//! What an integrator's receiver does: takes a callback in, verifies it, and answers.

use axum::{body::Body, response::Response};
use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use jiff::Timestamp;
use ringfence_domain::settings::CHALLENGE_TYPE;
use ringfence_webhook::{
    Verifier,
    headers::{WEBHOOK_ID, WEBHOOK_SIGNATURE, WEBHOOK_TIMESTAMP},
    sign::{DEFAULT_TOLERANCE, VerifyError, verify},
};
use serde_json::{Value, json};

/// No event comes near this, in bytes.
const MAX_BODY_BYTES: usize = 2 * 1024 * 1024;

/// Whether a callback is from who it should be from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A signature of it was made with one of the secrets.
    Verified,
    /// There is no secret to verify with.
    Unchecked,
    /// It may be from anyone.
    Refused(VerifyError),
}

/// A callback as it came in.
pub struct Callback {
    /// Its `webhook-id`.
    pub id: String,
    /// Whether it is genuine.
    pub verdict: Verdict,
    /// The body as it was sent.
    pub body: Bytes,
    /// The event in it, in whatever format; null when it is not JSON.
    pub event: Value,
}

/// Takes a request in. `Err` is the answer to what is no callback.
pub async fn take(
    request: Request<Body>,
    keys: &[Verifier],
    now: Timestamp,
) -> Result<Callback, Response> {
    let (parts, body) = request.into_parts();
    if parts.method != http::Method::POST {
        return Err(status(StatusCode::METHOD_NOT_ALLOWED));
    }
    let header = |name: &header::HeaderName| {
        parts
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    let body = match Limited::new(body, MAX_BODY_BYTES).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            return Err(status(StatusCode::PAYLOAD_TOO_LARGE));
        }
        Err(_) => return Err(status(StatusCode::BAD_REQUEST)),
    };
    let id = header(&WEBHOOK_ID);
    let verdict = if keys.is_empty() {
        Verdict::Unchecked
    } else {
        let (time, signatures) = (header(&WEBHOOK_TIMESTAMP), header(&WEBHOOK_SIGNATURE));
        match verify(
            keys,
            id,
            time,
            signatures,
            &body,
            now.as_second(),
            DEFAULT_TOLERANCE,
        ) {
            Ok(()) => Verdict::Verified,
            Err(error) => Verdict::Refused(error),
        }
    };
    Ok(Callback {
        id: id.to_owned(),
        verdict,
        event: event(&body),
        body,
    })
}

/// The JSON of a body: all of it, or that of the form field `detail`.
fn event(body: &[u8]) -> Value {
    if let Ok(event) = serde_json::from_slice(body) {
        return event;
    }
    let fields: Vec<(String, String)> = serde_urlencoded::from_bytes(body).unwrap_or_default();
    let detail = fields.into_iter().find(|(name, _)| name == "detail");
    detail
        .and_then(|(_, json)| serde_json::from_str(&json).ok())
        .unwrap_or_default()
}

impl Callback {
    /// The event's type, where the format has one.
    pub fn event_type(&self) -> &str {
        self.event["type"].as_str().unwrap_or("callback")
    }

    /// The answer to a verification challenge, if this is one.
    pub fn challenge_answer(&self) -> Option<Response> {
        let challenge = self.event["data"]["challenge"].as_str()?;
        (self.event["type"] == CHALLENGE_TYPE).then(|| {
            let mut response =
                Response::new(Body::from(json!({ "challenge": challenge }).to_string()));
            let json = header::HeaderValue::from_static("application/json");
            response.headers_mut().insert(header::CONTENT_TYPE, json);
            response
        })
    }
}

/// An answer without a body.
pub fn status(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use ringfence_webhook::{Key, Secret, sign};

    use super::*;

    fn request(headers: &[(header::HeaderName, &str)], body: &str) -> Request<Body> {
        let mut request = Request::post("/")
            .body(Body::from(body.to_owned()))
            .unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        request
    }

    #[tokio::test]
    async fn tells_genuine_from_forged() {
        let key = Key::Symmetric(Secret::from_random(&[7; 32]).unwrap());
        let now = Timestamp::from_second(1_770_000_000).unwrap();
        let body = r#"{"type":"cdr.created"}"#;
        let signature = sign(
            std::slice::from_ref(&key),
            "dlv_1",
            now.as_second(),
            body.as_bytes(),
        )
        .unwrap();
        let headers = [
            (WEBHOOK_ID, "dlv_1"),
            (WEBHOOK_TIMESTAMP, "1770000000"),
            (WEBHOOK_SIGNATURE, signature.as_str()),
        ];
        let keys = [key.verifier()];
        let genuine = take(request(&headers, body), &keys, now)
            .await
            .ok()
            .unwrap();
        assert_eq!(genuine.verdict, Verdict::Verified);
        assert_eq!(
            (genuine.id.as_str(), genuine.event_type()),
            ("dlv_1", "cdr.created")
        );

        let forged = take(request(&headers, r#"{"type":"forged"}"#), &keys, now)
            .await
            .ok()
            .unwrap();
        assert_eq!(forged.verdict, Verdict::Refused(VerifyError::NoMatch));
        let unsigned = take(request(&[], body), &keys, now).await.ok().unwrap();
        assert_eq!(unsigned.verdict, Verdict::Refused(VerifyError::Id));
        assert_eq!(
            take(request(&[], body), &[], now)
                .await
                .ok()
                .unwrap()
                .verdict,
            Verdict::Unchecked
        );
    }

    #[tokio::test]
    async fn answers_a_challenge_and_reads_forms() {
        let now = Timestamp::UNIX_EPOCH;
        let asked = r#"{"type":"ringfence.challenge","data":{"challenge":"abc"}}"#;
        let asked = take(request(&[], asked), &[], now).await.ok().unwrap();
        let answer = asked.challenge_answer().unwrap();
        let answer = axum::body::to_bytes(answer.into_body(), 1000)
            .await
            .unwrap();
        assert_eq!(&answer[..], br#"{"challenge":"abc"}"#);

        let form = take(
            request(&[], "detail=%7B%22taskid%22%3A%227%22%7D"),
            &[],
            now,
        )
        .await
        .ok()
        .unwrap();
        assert_eq!(form.event, json!({"taskid": "7"}));
        assert!(form.challenge_answer().is_none());
    }
}
