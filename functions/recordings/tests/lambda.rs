//! The binary, as AWS Lambda runs it, with every event of `events/recordings/`.

use ringfence_test_lambda::{
    Expected::{Error, Failed, Problem},
    check,
};

#[test]
fn every_event_is_answered_as_it_should_be() {
    let keyed = |file| {
        (
            file,
            Problem(401, "unauthenticated"),
            Problem(503, "unavailable"),
        )
    };
    let always = |file, expected| (file, expected, expected);
    check(
        env!("CARGO_BIN_EXE_recordings"),
        "recordings",
        &[
            keyed("register.apigw.json"),
            keyed("list.apigw.json"),
            keyed("link.apigw.json"),
            keyed("audio.apigw.json"),
            keyed("play.apigw.json"),
            keyed("redact.apigw.json"),
            always("broken-no-key.apigw.json", Problem(401, "unauthenticated")),
            always(
                "broken-method.apigw.json",
                Problem(405, "method-not-allowed"),
            ),
            keyed("broken-path.apigw.json"),
            always("broken-base64.apigw.json", Problem(400, "malformed-body")),
            always("broken-payload-1.0.apigw.json", Error("UnknownEvent")),
            // What nobody here knows is nothing to do; where that cannot be found out, all but what tells
            // of no object of ours comes back.
            (
                "objects.sqs.json",
                Failed(&[]),
                Failed(&[
                    "059f36b4-87a3-44ab-83d2-661970000001",
                    "059f36b4-87a3-44ab-83d2-661970000002",
                ]),
            ),
            (
                "imports.sqs.json",
                Failed(&[]),
                Failed(&[
                    "059f36b4-87a3-44ab-83d2-661970000000",
                    "059f36b4-87a3-44ab-83d2-661970000001",
                ]),
            ),
            (
                "redactions.sqs.json",
                Failed(&[]),
                Failed(&["059f36b4-87a3-44ab-83d2-661970000000"]),
            ),
            // The sixth is a text of nobody's, which no retry mends.
            (
                "broken-notifications.sqs.json",
                Failed(&[
                    "059f36b4-87a3-44ab-83d2-661970000000",
                    "059f36b4-87a3-44ab-83d2-661970000001",
                    "059f36b4-87a3-44ab-83d2-661970000002",
                    "059f36b4-87a3-44ab-83d2-661970000003",
                    "059f36b4-87a3-44ab-83d2-661970000004",
                    "059f36b4-87a3-44ab-83d2-661970000006",
                ]),
                Failed(&[
                    "059f36b4-87a3-44ab-83d2-661970000000",
                    "059f36b4-87a3-44ab-83d2-661970000001",
                    "059f36b4-87a3-44ab-83d2-661970000002",
                    "059f36b4-87a3-44ab-83d2-661970000003",
                    "059f36b4-87a3-44ab-83d2-661970000004",
                    "059f36b4-87a3-44ab-83d2-661970000006",
                    "059f36b4-87a3-44ab-83d2-661970000007",
                ]),
            ),
            always("broken-no-batch.sqs.json", Error("UnknownEvent")),
        ],
    );
}
