//! What ingest answers: a result per event.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use ringfence_domain::{
    event::{BatchError, EventError},
    ingest::Accepted,
};
use ringfence_http::{Code, FieldError, Problem};
use serde::Serialize;
use utoipa::ToSchema;

/// What became of a request's events.
#[derive(Serialize, ToSchema)]
pub(crate) struct IngestAnswer {
    /// Events accepted now. They are durable.
    accepted: usize,
    /// Events that had been accepted before; they are not delivered again.
    duplicates: usize,
    /// Events refused, each alone.
    rejected: usize,
    /// One entry an event, in order.
    results: Vec<EventResult>,
}

/// What became of one event.
#[derive(Serialize, ToSchema)]
pub(crate) struct EventResult {
    /// Its place in the request, from 0.
    index: usize,
    /// `accepted`, `duplicate` or `rejected`.
    status: &'static str,
    /// The event's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    /// The delivery queued for it: the `webhook-id` that its callback will carry.
    #[serde(skip_serializing_if = "Option::is_none")]
    delivery: Option<String>,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<FieldError>,
}

impl IngestAnswer {
    /// How many events were refused.
    pub(crate) const fn rejected(&self) -> usize {
        self.rejected
    }

    pub(crate) fn new(outcomes: Vec<Accepted>) -> Self {
        let mut answer = Self {
            accepted: 0,
            duplicates: 0,
            rejected: 0,
            results: Vec::with_capacity(outcomes.len()),
        };
        for (index, outcome) in outcomes.into_iter().enumerate() {
            let result = match outcome {
                Accepted::New { id, delivery } => {
                    answer.accepted += 1;
                    EventResult {
                        index,
                        status: "accepted",
                        id: Some(id),
                        delivery,
                        error: None,
                    }
                }
                Accepted::Duplicate { id } => {
                    answer.duplicates += 1;
                    EventResult {
                        index,
                        status: "duplicate",
                        id: Some(id),
                        delivery: None,
                        error: None,
                    }
                }
                Accepted::Refused(error) => {
                    answer.rejected += 1;
                    EventResult {
                        index,
                        status: "rejected",
                        id: None,
                        delivery: None,
                        error: Some(field_error(index, &error)),
                    }
                }
            };
            answer.results.push(result);
        }
        answer
    }
}

impl IntoResponse for IngestAnswer {
    /// 202, unless every event was refused: then 400, with all of the errors.
    fn into_response(self) -> Response {
        if self.rejected > 0 && self.rejected == self.results.len() {
            let errors = self
                .results
                .into_iter()
                .filter_map(|result| result.error)
                .collect();
            return Problem::new(Code::InvalidFields)
                .detail("No event was accepted.")
                .errors(errors)
                .into_response();
        }
        (StatusCode::ACCEPTED, Json(self)).into_response()
    }
}

fn field_error(index: usize, error: &EventError) -> FieldError {
    FieldError {
        index: Some(index),
        field: error.field.clone(),
        code: serde_json::to_value(error.code)
            .ok()
            .and_then(|code| code.as_str().map(str::to_owned))
            .unwrap_or_default(),
        reason: error.reason.clone().into_owned(),
    }
}

/// A request that cannot be read as a whole.
pub(crate) fn batch_problem(error: &BatchError) -> Problem {
    let code = match error {
        BatchError::UnsupportedContentType { .. } => Code::UnsupportedMediaType,
        BatchError::Query { .. } => Code::InvalidQuery,
        BatchError::TooMany { .. } => Code::PayloadTooLarge,
        BatchError::Empty | BatchError::Malformed { .. } => Code::MalformedBody,
    };
    let text = error.to_string();
    let mut chars = text.chars();
    let detail = chars
        .next()
        .map(|first| first.to_uppercase().chain(chars).collect::<String>() + ".");
    Problem {
        detail,
        ..Problem::new(code)
    }
}
