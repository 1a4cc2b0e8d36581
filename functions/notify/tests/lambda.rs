//! The binary, as AWS Lambda runs it, with every event of `events/notify/`.

use ringfence_test_lambda::{
    Expected::{Error, Failed},
    check,
};

#[test]
fn every_event_is_answered_as_it_should_be() {
    let always = |file, expected| (file, expected, expected);
    check(
        env!("CARGO_BIN_EXE_notify"),
        "notify",
        &[
            (
                "notices.sqs.json",
                Failed(&[]),
                Failed(&[
                    "059f36b4-87a3-44ab-83d2-661970000000",
                    "059f36b4-87a3-44ab-83d2-661970000001",
                ]),
            ),
            (
                "broken-bodies.sqs.json",
                Failed(&[
                    "059f36b4-87a3-44ab-83d2-661970000000",
                    "059f36b4-87a3-44ab-83d2-661970000002",
                    "059f36b4-87a3-44ab-83d2-661970000003",
                ]),
                Failed(&[
                    "059f36b4-87a3-44ab-83d2-661970000000",
                    "059f36b4-87a3-44ab-83d2-661970000001",
                    "059f36b4-87a3-44ab-83d2-661970000002",
                    "059f36b4-87a3-44ab-83d2-661970000003",
                ]),
            ),
            always("broken-no-batch.sqs.json", Error("UnknownEvent")),
        ],
    );
}
