//! The events of `events/<function>/`, and what is expected of each.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use serde_json::Value;

use crate::{Aws, Function, Outcome};

/// How long a function has for an event.
const TIMEOUT: Duration = Duration::from_secs(30);

/// How an event's file ends: which service sends it.
const KINDS: [&str; 3] = [".apigw.json", ".sqs.json", ".schedule.json"];

/// What the samples hold of secrets, phone numbers and bodies; and what the environment does.
const CANARIES: [&str; 5] = ["rfk_", "1415555", "that-no-log-shows", "canary", "Basic "];

/// What a function answers.
#[derive(Clone, Copy, Debug)]
pub enum Expected {
    /// An HTTP response with this status that is no problem.
    Status(u16),
    /// A problem of this type, with its status.
    Problem(u16, &'static str),
    /// A partial batch response with exactly these messages.
    Failed(&'static [&'static str]),
    /// The invocation succeeds.
    Done,
    /// The invocation fails with this type of error.
    Error(&'static str),
}

/// An event's file, what is expected where the table is empty, and where AWS does not answer.
pub type Sample = (&'static str, Expected, Expected);

/// Hands a function every event of its folder, and compares. An event that `samples` does not name
/// fails, and so does one that is not there.
///
/// # Panics
///
/// Where anything is not as expected.
pub fn check(binary: &str, function: &str, samples: &[Sample]) {
    let named: BTreeSet<String> = samples
        .iter()
        .map(|(file, ..)| (*file).to_owned())
        .collect();
    let found: BTreeSet<String> = fs::read_dir(folder(function))
        .expect("a folder of events")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .into_string()
                .expect("a name")
        })
        .filter(|name| KINDS.iter().any(|kind| name.ends_with(kind)))
        .collect();
    assert_eq!(
        named, found,
        "the events of {function} and what is expected of them"
    );

    // One process for all, as Lambda does; and when it is over, nothing of any event is in its log.
    let warm = Function::start(binary, Aws::Empty);
    for (file, expected, _) in samples {
        compare(
            file,
            *expected,
            &warm.invoke(&sample(function, file), TIMEOUT),
        );
    }
    check_log(&warm.stop());

    // Giving up on AWS takes a while each time.
    thread::scope(|threads| {
        for (file, _, expected) in samples {
            threads.spawn(|| {
                let function_ = Function::start(binary, Aws::Refusing);
                compare(
                    file,
                    *expected,
                    &function_.invoke(&sample(function, file), TIMEOUT),
                );
                check_log(&function_.stop());
            });
        }
    });
}

/// The text of an event of `events/<function>/`.
///
/// # Panics
///
/// Where there is none.
pub fn sample(function: &str, file: &str) -> String {
    let path = folder(function).join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn folder(function: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../events")
        .join(function)
}

fn compare(file: &str, expected: Expected, outcome: &Outcome) {
    match (expected, outcome) {
        (Expected::Status(status), Outcome::Answer(answer)) => {
            assert_eq!(answer["statusCode"], status, "{file}: {answer}");
            assert_ne!(
                answer["headers"]["content-type"], "application/problem+json",
                "{file}"
            );
        }
        (Expected::Problem(status, kind), Outcome::Answer(answer)) => {
            assert_eq!(answer["statusCode"], status, "{file}: {answer}");
            assert_eq!(
                answer["headers"]["content-type"], "application/problem+json",
                "{file}"
            );
            let body: Value = serde_json::from_str(answer["body"].as_str().unwrap_or_default())
                .unwrap_or_else(|_| panic!("{file}: {answer}"));
            assert_eq!(body["type"], format!("/problems/{kind}"), "{file}");
            assert_eq!(body["status"], status, "{file}");
        }
        (Expected::Failed(expected), Outcome::Answer(answer)) => {
            let failures = answer["batchItemFailures"].as_array();
            let failures = failures.unwrap_or_else(|| panic!("{file}: {answer}"));
            let ids: Vec<_> = failures
                .iter()
                .filter_map(|one| one["itemIdentifier"].as_str())
                .collect();
            assert_eq!(ids, expected, "{file}");
        }
        (Expected::Done, Outcome::Answer(_)) => {}
        (Expected::Error(expected), Outcome::Error(kind)) => assert_eq!(kind, expected, "{file}"),
        (expected, outcome) => panic!("{file}: {expected:?} is expected, and there is {outcome:?}"),
    }
}

/// Every line is JSON, and none tells what it should not.
fn check_log(log: &str) {
    for line in log.lines() {
        let parsed: Result<Value, _> = serde_json::from_str(line);
        assert!(
            parsed.is_ok_and(|line| line["level"].is_string()),
            "no line of a log: {line}"
        );
    }
    for canary in CANARIES {
        assert!(!log.contains(canary), "the log tells {canary}: {log}");
    }
}
