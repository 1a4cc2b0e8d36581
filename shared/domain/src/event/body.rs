//! What a callback carries: an event in the format that the endpoint asked for.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::Event;

mod cloudevents;
mod i8;

/// In which form an endpoint gets its events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum BodyFormat {
    /// Ringfence's own document, a Standard Webhooks payload.
    #[default]
    #[serde(rename = "ringfence")]
    Ringfence,
    /// `CloudEvents` 1.0, structured mode.
    #[serde(rename = "cloudevents")]
    CloudEvents,
    /// The field names of the I8 voice platform, as JSON.
    #[serde(rename = "i8")]
    Native,
    /// The same in a form field `detail`.
    #[serde(rename = "i8_form")]
    NativeForm,
}

/// A body, ready to be signed and sent byte for byte.
#[derive(Clone, PartialEq, Eq)]
pub struct Body {
    /// For the `Content-Type` header.
    pub content_type: &'static str,
    /// The body.
    pub bytes: Bytes,
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Body")
            .field("content_type", &self.content_type)
            .field("len", &self.bytes.len())
            .finish_non_exhaustive()
    }
}

/// A body could not be made of a stored event. Says nothing of its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// The stored document is not an event.
    #[error("the stored event cannot be read")]
    Stored,
    /// The event cannot be written.
    #[error("the event cannot be written")]
    Write,
}

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";
const CLOUDEVENTS: &str = "application/cloudevents+json";

/// Renders an event. With `mask`, no phone number of it stands in the body in the clear.
/// `webhook_id` is the delivery's id: it becomes the `CloudEvents` `id`, so that a receiver finds
/// repeats of a delivery by it in every format.
///
/// # Errors
/// [`RenderError::Write`], in practice never.
pub fn render(
    format: BodyFormat,
    event: &Event,
    mask: bool,
    webhook_id: &str,
) -> Result<Body, RenderError> {
    if mask {
        write(format, &event.masked(), webhook_id)
    } else {
        write(format, event, webhook_id)
    }
}

/// Renders a stored document. The common case, Ringfence's format without masking, sends the
/// stored bytes as they are, without reading them.
///
/// # Errors
/// [`RenderError::Stored`] when the document is not an event.
pub fn render_stored(
    format: BodyFormat,
    stored: &str,
    mask: bool,
    webhook_id: &str,
) -> Result<Body, RenderError> {
    if format == BodyFormat::Ringfence && !mask {
        return Ok(Body {
            content_type: JSON,
            bytes: Bytes::copy_from_slice(stored.as_bytes()),
        });
    }
    let event = Event::from_json(stored).map_err(|_| RenderError::Stored)?;
    render(format, &event, mask, webhook_id)
}

fn write(format: BodyFormat, event: &Event, webhook_id: &str) -> Result<Body, RenderError> {
    let (content_type, bytes) = match format {
        BodyFormat::Ringfence => (JSON, json(event)?),
        BodyFormat::CloudEvents => (
            CLOUDEVENTS,
            json(&cloudevents::Envelope::of(event, webhook_id))?,
        ),
        BodyFormat::Native => (JSON, json(&i8::push(event))?),
        BodyFormat::NativeForm => {
            let detail = serde_json::to_string(&i8::push(event)).map_err(|_| RenderError::Write)?;
            let form = serde_urlencoded::to_string([("detail", detail)])
                .map_err(|_| RenderError::Write)?;
            (FORM, form.into_bytes())
        }
    };
    Ok(Body {
        content_type,
        bytes: bytes.into(),
    })
}

fn json(value: &impl Serialize) -> Result<Vec<u8>, RenderError> {
    serde_json::to_vec(value).map_err(|_| RenderError::Write)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::event::samples;

    fn body(format: BodyFormat, name: &str) -> (&'static str, Value) {
        let body = render(format, &samples::event(name), false, "dlv_0198").expect("renders");
        (
            body.content_type,
            serde_json::from_slice(&body.bytes).expect("JSON"),
        )
    }

    #[test]
    fn the_names_of_the_formats_are_settings() {
        for (format, name) in [
            (BodyFormat::Ringfence, "ringfence"),
            (BodyFormat::CloudEvents, "cloudevents"),
            (BodyFormat::Native, "i8"),
            (BodyFormat::NativeForm, "i8_form"),
        ] {
            assert_eq!(serde_json::to_value(format).expect("writes"), json!(name));
        }
    }

    #[test]
    fn an_unmasked_ringfence_body_is_the_stored_document_byte_for_byte() {
        for (name, event) in samples::all() {
            let stored = event.to_json().expect("writes");
            let body =
                render_stored(BodyFormat::Ringfence, &stored, false, "dlv_1").expect("renders");
            assert_eq!(body.bytes, stored.as_bytes(), "{name}");
            assert_eq!(
                body,
                render(BodyFormat::Ringfence, &event, false, "dlv_1").expect("renders")
            );
        }
        let broken = render_stored(BodyFormat::CloudEvents, "{}", false, "dlv_1");
        assert_eq!(broken, Err(RenderError::Stored));
    }

    #[test]
    fn a_ringfence_body_is_a_standard_webhooks_payload() {
        let (content_type, body) = body(BodyFormat::Ringfence, "call.ringing.json");
        assert_eq!(content_type, "application/json");
        assert_eq!(body["type"], "call.ringing");
        assert_eq!(body["timestamp"], "2026-01-31T08:15:01.25Z");
        assert_eq!(body["account_id"], samples::ACCOUNT);
        assert_eq!(body["data"]["call_id"], "call-1042");
    }

    #[test]
    fn a_cloud_event_has_every_attribute() {
        let (content_type, body) = body(BodyFormat::CloudEvents, "cdr.created.json");
        assert_eq!(content_type, "application/cloudevents+json");
        let data = body["data"].clone();
        assert_eq!(data["disposition"], "answered");
        assert_eq!(
            body,
            json!({
                "specversion": "1.0",
                "id": "dlv_0198",
                "source": "/v1/accounts/acc_0198c0de",
                "type": "ringfence.cdr.created",
                "subject": "call-1042",
                "time": "2026-01-31T08:17:40Z",
                "datacontenttype": "application/json",
                "dataschema": "/v1/event-types/cdr.created#/$defs/data",
                "eventid": "call-1042-cdr",
                "data": data,
            })
        );
        let (_, task) =
            super::tests::body(BodyFormat::CloudEvents, "predictive_task.completed.json");
        assert_eq!(task["subject"], "task-7");
    }

    #[test]
    fn an_i8_cdr_is_what_its_integrators_know() {
        let (content_type, body) = body(BodyFormat::Native, "cdr.created.json");
        assert_eq!(content_type, "application/json");
        let id = body["id"].clone();
        assert!(id.as_u64().is_some_and(|id| id < 1 << 53));
        assert_eq!(
            body,
            json!({
                "id": id, "uuid": "call-1042", "companycode": "acc_0198c0de", "type": "callin",
                "direction": "callin", "callmethod": 6, "starttime": "2026-01-31 16:15:00",
                "answertime": "2026-01-31 16:15:09", "endtime": "2026-01-31 16:17:39",
                "duration": 159, "billsec": 150, "crmid": "ada", "userid": "ada", "memberid": "",
                "customuuid": "order-7781", "userkey": "", "disnumber": "+14155550123",
                "destnumber": "+14155550199", "extnumber": "2001", "recordfilename": "",
                "downloadip": "", "hangupdirection": 1, "hangupcause": 16, "taskid": "",
            })
        );
    }

    #[test]
    fn an_i8_recording_is_a_cdr_with_its_file() {
        let (_, body) = body(BodyFormat::Native, "recording.available.json");
        assert_eq!(body["uuid"], "call-1042");
        assert_eq!(body["downloadip"], "recordings.example.com");
        assert_eq!(
            body["recordfilename"],
            "2026/01/31/14155550123-call-1042.wav"
        );
        assert_eq!(body["answertime"], "");
    }

    #[test]
    fn an_i8_call_status_is_all_strings() {
        let (_, body) = body(BodyFormat::Native, "call.ringing.json");
        assert_eq!(
            body,
            json!({
                "uuid": "call-1042", "buuid": "", "caller": "+14155550123",
                "callee": "+14155550199", "disnumber": "", "extnumber": "2001",
                "direction": "callin", "isbleg": "false", "method": "0",
                "starttime": "1769847300", "status": "ring", "type": "call",
                "companycode": "acc_0198c0de", "customuuid": "",
            })
        );
        let status = |name| super::tests::body(BodyFormat::Native, name).1["status"].clone();
        assert_eq!(status("call.answered.json"), "answer");
        assert_eq!(status("call.disconnected.json"), "hangup");
        let (_, task) =
            super::tests::body(BodyFormat::Native, "predictive_task.call_unanswered.json");
        assert_eq!(
            (&task["status"], &task["taskid"]),
            (&json!("hangup"), &json!("task-7"))
        );
        assert_eq!(task["method"], "5");
    }

    #[test]
    fn an_i8_form_has_the_push_in_its_field_detail() {
        let event = samples::event("predictive_task.completed.json");
        let body = render(BodyFormat::NativeForm, &event, false, "dlv_1").expect("renders");
        assert_eq!(body.content_type, "application/x-www-form-urlencoded");
        let pairs: Vec<(String, String)> =
            serde_urlencoded::from_bytes(&body.bytes).expect("a form");
        let [(name, detail)] = pairs.as_slice() else {
            panic!("{pairs:?}")
        };
        assert_eq!(name, "detail");
        let detail: Value = serde_json::from_str(detail).expect("JSON");
        assert_eq!(
            detail,
            json!({"taskid": "task-7", "companycode": "acc_0198c0de", "status": 3, "endtype": "over"})
        );
    }
}
