//! The binary, as AWS Lambda runs it, with every event of `events/settings/`.

use ringfence_test_lambda::{
    Expected::{Error, Problem},
    check,
};

#[test]
fn every_event_is_answered_as_it_should_be() {
    check(
        env!("CARGO_BIN_EXE_settings"),
        "settings",
        &[
            (
                "callbacks-put.apigw.json",
                Problem(401, "unauthenticated"),
                Problem(503, "unavailable"),
            ),
            (
                "security-patch.apigw.json",
                Problem(401, "unauthenticated"),
                Problem(503, "unavailable"),
            ),
            (
                "agencies.apigw.json",
                Problem(401, "unauthenticated"),
                Problem(503, "unavailable"),
            ),
            (
                "broken-method.apigw.json",
                Problem(405, "method-not-allowed"),
                Problem(405, "method-not-allowed"),
            ),
            (
                "broken-path.apigw.json",
                Problem(401, "unauthenticated"),
                Problem(503, "unavailable"),
            ),
            (
                "broken-payload-1.0.apigw.json",
                Error("UnknownEvent"),
                Error("UnknownEvent"),
            ),
        ],
    );
}
