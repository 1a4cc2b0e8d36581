//! S3's own notifications, as the port tells of objects.

use ringfence_ports::ObjectCreated;
use serde::Deserialize;

/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html>; what is not
/// needed is not read.
#[derive(Deserialize)]
struct Notification {
    #[serde(rename = "Records", default)]
    records: Vec<Record>,
}

#[derive(Deserialize)]
struct Record {
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

/// The objects that a message of S3 to SQS tells of: those that were created, in any way. `None`: it is no
/// such message. The one that S3 sends when notifications are set up (`s3:TestEvent`) tells of none.
pub fn objects_created(body: &str) -> Option<Vec<ObjectCreated>> {
    let notification: Notification = serde_json::from_str(body).ok()?;
    notification
        .records
        .into_iter()
        .filter(|record| record.event.starts_with("ObjectCreated:"))
        .map(|record| {
            Some(ObjectCreated {
                key: decoded(&record.s3.object.key)?,
                length: record.s3.object.size,
            })
        })
        .collect()
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
        assert_eq!(told, Some(vec![created]));
    }

    #[test]
    fn what_tells_of_no_new_object_is_told_apart() {
        let test = r#"{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"recordings"}"#;
        assert_eq!(objects_created(test), Some(Vec::new()));
        let gone = message("ObjectRemoved:Delete", "a");
        assert_eq!(objects_created(&gone), Some(Vec::new()));
        for body in [
            "",
            "text",
            &message("ObjectCreated:Put", "%zz"),
            &message("ObjectCreated:Put", "%ff"),
        ] {
            assert_eq!(objects_created(body), None, "{body}");
        }
    }
}
