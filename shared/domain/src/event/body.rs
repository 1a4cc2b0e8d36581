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
    /// CloudEvents 1.0, structured mode.
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
/// `webhook_id` is the delivery's id: it becomes the CloudEvents `id`, so that a receiver finds
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
