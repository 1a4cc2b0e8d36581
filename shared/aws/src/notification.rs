//! S3's own notifications, as the port tells of objects.

use ringfence_ports::ObjectCreated;
use serde::{Deserialize, de::IgnoredAny};

/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html>; what is not
/// needed is not read.
#[derive(Deserialize)]
struct Notification {
    #[serde(rename = "Records")]
    records: Vec<Record>,
}

#[derive(Deserialize)]
struct Record {
    #[serde(rename = "eventSource")]
    source: String,
    #[serde(rename = "eventName")]
    event: String,
    s3: S3,
}

#[derive(Deserialize)]
struct S3 {
    object: Object,
}

#[derive(Deserialize)]
struct Object {
    key: String,
    #[serde(default)]
    size: u64,
}

/// What S3 sends when notifications are set up.
#[derive(Deserialize)]
struct Test {
    #[serde(rename = "Service")]
    service: String,
    #[serde(rename = "Event")]
    event: String,
}

/// Only what tells whose message it is.
#[derive(Deserialize)]
struct Any {
    #[serde(rename = "Records")]
    records: Option<IgnoredAny>,
    #[serde(rename = "Service")]
    service: Option<IgnoredAny>,
}

/// A message with records that are none of S3's, or cannot be read. Says nothing of what is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the message has records, and is no notification of S3's")]
pub struct NoNotification;

/// The objects that a message of S3 to SQS tells of: those that were created, in any way; none in the one
/// that S3 sends when notifications are set up (`s3:TestEvent`). `None`: somebody else's message.
pub fn objects_created(body: &str) -> Result<Option<Vec<ObjectCreated>>, NoNotification> {
    match serde_json::from_str(body) {
        Ok(Any {
            records: None,
            service: None,
        })
        | Err(_) => return Ok(None),
        Ok(_) => {}
    }
    if let Ok(test) = serde_json::from_str::<Test>(body) {
        let is_test = test.service == "Amazon S3" && test.event == "s3:TestEvent";
        return is_test.then(|| Some(Vec::new())).ok_or(NoNotification);
    }
    let notification: Notification = serde_json::from_str(body).map_err(|_| NoNotification)?;
    let mut created = Vec::with_capacity(notification.records.len());
    for record in notification.records {
        if record.source != "aws:s3" {
            return Err(NoNotification);
        }
        if record.event.starts_with("ObjectCreated:") {
            created.push(ObjectCreated {
                key: decoded(&record.s3.object.key).ok_or(NoNotification)?,
                length: record.s3.object.size,
            });
        }
    }
    Ok(Some(created))
}

/// Keys come as in a form: `+` for a space, percent encoding for what is not plain.
fn decoded(key: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(key.len());
    let mut rest = key.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                let (high, low) = (digit(rest.next())?, digit(rest.next())?);
                u8::try_from(high * 16 + low).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(event: &str, key: &str) -> String {
        format!(
            r#"{{"Records":[{{"eventVersion":"2.1","eventSource":"aws:s3","awsRegion":"eu-west-1",
            "eventTime":"2026-01-02T03:04:05.000Z","eventName":"{event}","s3":{{"s3SchemaVersion":"1.0",
            "bucket":{{"name":"recordings"}},"object":{{"key":"{key}","size":42,"eTag":"x","sequencer":"0"}}}}}}]}}"#
        )
    }

    #[test]
    fn keys_are_decoded() {
        let told = objects_created(&message("ObjectCreated:Put", "acc_1/a+b%2B%C3%BC%252F.wav"));
        let created = ObjectCreated {
            key: "acc_1/a b+ü%2F.wav".to_owned(),
            length: 42,
        };
        assert_eq!(told, Ok(Some(vec![created])));
    }

    #[test]
    fn what_tells_of_no_new_object_is_told_apart() {
        let test = r#"{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"recordings"}"#;
        assert_eq!(objects_created(test), Ok(Some(Vec::new())));
        let gone = message("ObjectRemoved:Delete", "a");
        assert_eq!(objects_created(&gone), Ok(Some(Vec::new())));
    }

    #[test]
    fn other_peoples_messages_are_left_to_them() {
        let import = r#"{"account":"acc_1","call":"c","event":"e"}"#;
        for body in ["", "text", "null", "[]", import] {
            assert_eq!(objects_created(body), Ok(None), "{body}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_not_taken_for_nothing() {
        let put = message("ObjectCreated:Put", "a");
        for body in [
            message("ObjectCreated:Put", "%zz"),
            message("ObjectCreated:Put", "%ff"),
            message("ObjectCreated:Put", "a%2"),
            put.replace("aws:s3", "aws:sqs"),
            put.replace(r#""key":"a","#, ""),
            put.replace(r#""size":42"#, r#""size":-1"#),
            r#"{"Records":{}}"#.to_owned(),
            r#"{"Service":"Amazon S3","Event":"s3:Other"}"#.to_owned(),
        ] {
            assert_eq!(objects_created(&body), Err(NoNotification), "{body}");
        }
    }
}
