//! The binary, as AWS Lambda runs it, with every event of `events/exports/`.

use ringfence_test_lambda::{
    Expected::{Error, Problem},
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
        env!("CARGO_BIN_EXE_exports"),
        "exports",
        &[
            keyed("order.apigw.json"),
            keyed("list.apigw.json"),
            keyed("one.apigw.json"),
            keyed("delete.apigw.json"),
            always("broken-no-key.apigw.json", Problem(401, "unauthenticated")),
            always(
                "broken-method.apigw.json",
                Problem(405, "method-not-allowed"),
            ),
            always("broken-payload-1.0.apigw.json", Error("UnknownEvent")),
        ],
    );
}
