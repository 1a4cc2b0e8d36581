//! The binary, as AWS Lambda runs it, with every event of `events/history/`.

use ringfence_test_lambda::{
    Expected::{Error, Problem},
    check,
};

#[test]
fn every_event_is_answered_as_it_should_be() {
    check(
        env!("CARGO_BIN_EXE_history"),
        "history",
        &[
            (
                "account.apigw.json",
                Problem(401, "unauthenticated"),
                Problem(503, "unavailable"),
            ),
            (
                "agency.apigw.json",
                Problem(401, "unauthenticated"),
                Problem(503, "unavailable"),
            ),
            (
                "broken-no-key.apigw.json",
                Problem(401, "unauthenticated"),
                Problem(401, "unauthenticated"),
            ),
            (
                "broken-payload-1.0.apigw.json",
                Error("UnknownEvent"),
                Error("UnknownEvent"),
            ),
        ],
    );
}
