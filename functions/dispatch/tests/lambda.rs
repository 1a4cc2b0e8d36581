//! The binary, as AWS Lambda runs it, with every event of `events/dispatch/`.

use std::time::{Duration, Instant};

use ringfence_test_lambda::{
    Aws,
    Expected::{Error, Failed},
    Function, Outcome, check, sample,
};

#[test]
fn every_event_is_answered_as_it_should_be() {
    check(
        env!("CARGO_BIN_EXE_dispatch"),
        "dispatch",
        &[
            (
                "deliveries.sqs.json",
                Failed(&[]),
                Failed(&[
                    "059f36b4-87a3-44ab-83d2-661970000000",
                    "059f36b4-87a3-44ab-83d2-661970000001",
                    "059f36b4-87a3-44ab-83d2-661970000002",
                ]),
            ),
            (
                "broken-bodies.sqs.json",
                Failed(&[
                    "059f36b4-87a3-44ab-83d2-661970000001",
                    "059f36b4-87a3-44ab-83d2-661970000002",
                    "059f36b4-87a3-44ab-83d2-661970000003",
                    "059f36b4-87a3-44ab-83d2-661970000004",
                ]),
                Failed(&[
                    "059f36b4-87a3-44ab-83d2-661970000000",
                    "059f36b4-87a3-44ab-83d2-661970000001",
                    "059f36b4-87a3-44ab-83d2-661970000002",
                    "059f36b4-87a3-44ab-83d2-661970000003",
                    "059f36b4-87a3-44ab-83d2-661970000004",
                    "059f36b4-87a3-44ab-83d2-661970000005",
                ]),
            ),
            (
                "broken-no-batch.sqs.json",
                Error("UnknownEvent"),
                Error("UnknownEvent"),
            ),
        ],
    );
}

#[test]
fn what_is_not_done_in_time_fails_before_the_function_is_killed() {
    let function = Function::start(env!("CARGO_BIN_EXE_dispatch"), Aws::Silent);
    let started = Instant::now();
    let outcome = function.invoke(
        &sample("dispatch", "deliveries.sqs.json"),
        Duration::from_secs(3),
    );
    let Outcome::Answer(answer) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(
        answer["batchItemFailures"].as_array().map(Vec::len),
        Some(3)
    );
    assert!(started.elapsed() < Duration::from_secs(3));
}
