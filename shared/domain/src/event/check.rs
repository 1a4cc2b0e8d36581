//! What types alone cannot say: bounds, shapes, what each type needs, times that contradict.

use jiff::{SignedDuration, Timestamp};

use super::data::EventData;
use super::error::{ErrorCode, EventError};
use super::fields::{
    CAUSE_PATTERN, ID_PATTERN, MAX_COUNT, MAX_ID, MAX_PHONE, MAX_SECONDS, MAX_TAG, MAX_TAGS,
    MAX_TEXT, MAX_URL, is_cause, is_id, is_text, required,
};
use super::{Event, PhoneNumber};

/// How far ahead of our clock an event's time may lie: a platform's clock may be off, but a time
/// further ahead would sort before everything that really happens next.
pub const MAX_AHEAD: SignedDuration = SignedDuration::from_hours(24);

/// Checks a whole event.
pub fn event(event: &Event, received_at: Timestamp) -> Result<(), EventError> {
    id("id", Some(&event.id))?;
    id("account_id", Some(&event.account_id))?;
    if event.timestamp.duration_since(received_at) > MAX_AHEAD {
        return Err(EventError::at(
            "timestamp",
            ErrorCode::ImpossibleTime,
            "lies more than a day in the future",
        ));
    }
    let data = &event.data;
    for name in required(event.event_type) {
        let present = match *name {
            "call_id" => data.call_id.is_some(),
            "task_id" => data.task_id.is_some(),
            "end_reason" => data.end_reason.is_some(),
            _ => data.recording.is_some(),
        };
        if !present {
            return Err(EventError::missing(format!("data.{name}")));
        }
    }
    if event.event_type == super::EventType::RecordingAvailable
        && data
            .recording
            .as_ref()
            .is_none_or(|recording| recording.id.is_none())
    {
        return Err(EventError::missing("data.recording.id"));
    }
    fields(data)?;
    times(data)
}

fn fields(data: &EventData) -> Result<(), EventError> {
    id("data.call_id", data.call_id.as_deref())?;
    id("data.parent_call_id", data.parent_call_id.as_deref())?;
    id("data.task_id", data.task_id.as_deref())?;
    phone("data.from", data.from.as_ref())?;
    phone("data.to", data.to.as_ref())?;
    phone("data.display_number", data.display_number.as_ref())?;
    text("data.extension", data.extension.as_deref(), MAX_ID)?;
    text("data.agent_id", data.agent_id.as_deref(), MAX_ID)?;
    text("data.custom_id", data.custom_id.as_deref(), MAX_TEXT)?;
    for (field, seconds) in [
        ("data.duration", data.duration),
        ("data.billsec", data.billsec),
        ("data.ring_time", data.ring_time),
        ("data.talk_time", data.talk_time),
        ("data.hold_time", data.hold_time),
        ("data.wait_time", data.wait_time),
    ] {
        at_most(field, seconds, MAX_SECONDS)?;
    }
    at_most(
        "data.hangup_cause_code",
        data.hangup_cause_code.map(u32::from),
        127,
    )?;
    if data
        .hangup_cause
        .as_deref()
        .is_some_and(|cause| !is_cause(cause))
    {
        return Err(shape("data.hangup_cause", CAUSE_PATTERN));
    }
    if let Some(recording) = &data.recording {
        id("data.recording.id", recording.id.as_deref())?;
        at_most("data.recording.duration", recording.duration, MAX_SECONDS)?;
        text("data.recording.url", recording.url.as_deref(), MAX_URL)?;
        let reason = recording.deletion_reason.as_deref();
        text("data.recording.deletion_reason", reason, MAX_TEXT)?;
    }
    if let Some(tags) = &data.tags {
        if tags.len() > MAX_TAGS {
            return Err(EventError::at(
                "data.tags",
                ErrorCode::InvalidValue,
                format!("must hold at most {MAX_TAGS} tags"),
            ));
        }
        if let Some(index) = tags
            .iter()
            .position(|tag| tag.is_empty() || !is_text(tag, MAX_TAG))
        {
            return Err(EventError::at(
                format!("data.tags[{index}]"),
                ErrorCode::InvalidValue,
                format!("must be 1 to {MAX_TAG} characters without control characters"),
            ));
        }
    }
    if let Some(progress) = &data.progress {
        for (field, count) in [
            ("data.progress.total", progress.total),
            ("data.progress.dialed", progress.dialed),
            ("data.progress.answered", progress.answered),
            ("data.progress.unanswered", progress.unanswered),
            ("data.progress.abandoned", progress.abandoned),
            ("data.progress.failed", progress.failed),
            ("data.progress.remaining", progress.remaining),
        ] {
            at_most(field, count, MAX_COUNT)?;
        }
    }
    Ok(())
}

/// Started ≤ ringing ≤ answered ≤ ended, as far as they are known. Equal times are fine: platforms
/// that keep whole seconds send them.
fn times(data: &EventData) -> Result<(), EventError> {
    let mut latest: Option<(Timestamp, &'static str)> = None;
    for (field, time, before) in [
        ("", data.started_at, "lies before data.started_at"),
        (
            "data.ringing_at",
            data.ringing_at,
            "lies before data.ringing_at",
        ),
        (
            "data.answered_at",
            data.answered_at,
            "lies before data.answered_at",
        ),
        ("data.ended_at", data.ended_at, ""),
    ] {
        let Some(time) = time else { continue };
        if let Some((earlier, reason)) = latest
            && time < earlier
        {
            return Err(EventError::at(field, ErrorCode::ImpossibleTime, reason));
        }
        latest = Some((time, before));
    }
    Ok(())
}

fn shape(field: &'static str, pattern: &'static str) -> EventError {
    EventError::at(
        field,
        ErrorCode::InvalidValue,
        format!("must match {pattern}"),
    )
}

fn id(field: &'static str, value: Option<&str>) -> Result<(), EventError> {
    match value {
        Some(value) if !is_id(value) => Err(shape(field, ID_PATTERN)),
        _ => Ok(()),
    }
}

fn phone(field: &'static str, value: Option<&PhoneNumber>) -> Result<(), EventError> {
    text(field, value.map(PhoneNumber::as_str), MAX_PHONE)
}

fn text(field: &'static str, value: Option<&str>, max: usize) -> Result<(), EventError> {
    match value {
        Some(value) if !is_text(value, max) => Err(EventError::at(
            field,
            ErrorCode::InvalidValue,
            format!("must be at most {max} characters without control characters"),
        )),
        _ => Ok(()),
    }
}

fn at_most(field: &'static str, value: Option<u32>, max: u32) -> Result<(), EventError> {
    match value {
        Some(value) if value > max => Err(EventError::at(
            field,
            ErrorCode::InvalidValue,
            format!("must be a whole number from 0 to {max}"),
        )),
        _ => Ok(()),
    }
}
