//! The verification challenge: a URL is taken only from somebody whose receiver answers at it.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::HeaderValue;
use jiff::Timestamp;
use ringfence_webhook::{Attempt, ExtraHeaders, Outgoing, Target, Timeouts, sign};
use serde::Serialize;
use serde_json::Value;

use super::{EndpointKind, error::FieldError, tenant::Tenant};
use crate::{App, id};

/// The type of the event that carries a challenge.
pub const CHALLENGE_TYPE: &str = "ringfence.challenge";

/// What a receiver is asked: a signed event whose `data.challenge` it answers in a JSON object.
#[derive(Serialize)]
struct ChallengeEvent<'a> {
    #[serde(rename = "type")]
    event_type: &'static str,
    timestamp: Timestamp,
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    account_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agency_id: Option<&'a str>,
    data: ChallengeData<'a>,
}

#[derive(Serialize)]
struct ChallengeData<'a> {
    callback: &'static str,
    challenge: &'a str,
}

/// One URL to be asked.
pub(super) struct Asked<'a> {
    pub(super) kind: EndpointKind,
    pub(super) target: &'a Target,
    pub(super) headers: ExtraHeaders,
    pub(super) keys: Vec<sign::Key>,
    pub(super) timeouts: Timeouts,
}

impl App {
    /// Asks one URL. `Err` says in plain words what came back instead.
    pub(super) async fn challenge(
        &self,
        tenant: &Tenant,
        asked: Asked<'_>,
    ) -> Result<(), FieldError> {
        let wrong = |code, reason: String| FieldError {
            field: format!("{}.url", asked.kind.as_str()),
            code,
            reason,
        };
        let at = self.clock.now();
        let mut bytes = [0; 32];
        self.random.fill(&mut bytes);
        let challenge = URL_SAFE_NO_PAD.encode(bytes);
        let event_id = id::new(id::Kind::Event, at, &*self.random);
        let owner = Some(tenant.id());
        let event = ChallengeEvent {
            event_type: CHALLENGE_TYPE,
            timestamp: at,
            id: &event_id,
            account_id: owner.filter(|_| !tenant.is_agency()),
            agency_id: owner.filter(|_| tenant.is_agency()),
            data: ChallengeData {
                callback: asked.kind.as_str(),
                challenge: &challenge,
            },
        };
        let body = serde_json::to_vec(&event).map_err(|_| {
            wrong(
                "unsendable",
                "the challenge could not be written".to_owned(),
            )
        })?;
        let attempt = self
            .sender
            .send(Outgoing {
                target: asked.target,
                id: &event_id,
                timestamp: at.as_second(),
                keys: &asked.keys,
                headers: &asked.headers,
                content_type: HeaderValue::from_static("application/json"),
                body: Bytes::from(body),
                timeouts: asked.timeouts,
            })
            .await;
        judge(&attempt, &challenge).map_err(|(code, reason)| wrong(code, reason))
    }
}

fn judge(attempt: &Attempt, challenge: &str) -> Result<(), (&'static str, String)> {
    let response = match &attempt.response {
        Some(response) if attempt.outcome.is_success() => response,
        _ => {
            return Err((
                attempt.outcome.code(),
                attempt.outcome.explain().into_owned(),
            ));
        }
    };
    if response.truncated {
        let reason =
            "The answer is longer than 1 KB, or broke off; it must be {\"challenge\": …} alone.";
        return Err(("answer_too_long", reason.to_owned()));
    }
    let answer: Option<Value> = serde_json::from_slice(&response.head).ok();
    let status = response.status;
    match answer
        .as_ref()
        .and_then(Value::as_object)
        .map(|fields| fields.get("challenge"))
    {
        None => Err((
            "answer_not_json",
            format!("The answer ({status}) is not a JSON object."),
        )),
        Some(None) => Err((
            "answer_without_challenge",
            format!("The answer ({status}) has no \"challenge\"."),
        )),
        Some(Some(Value::String(answered))) if answered == challenge => Ok(()),
        Some(Some(_)) => Err((
            "wrong_challenge",
            format!("The answer ({status}) has another \"challenge\" than was sent."),
        )),
    }
}
