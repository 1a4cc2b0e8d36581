//! The binary, as AWS Lambda runs it, with every event of `events/session/`.

use ringfence_test_lambda::{
    Expected::{Error, Problem, Status},
    check,
};

#[test]
fn every_event_is_answered_as_it_should_be() {
    let always = |file, expected| (file, expected, expected);
    check(
        env!("CARGO_BIN_EXE_session"),
        "session",
        &[
            (
                "login.apigw.json",
                Problem(503, "unavailable"),
                Problem(503, "unavailable"),
            ),
            always("who.apigw.json", Problem(401, "session-over")),
            always("page.apigw.json", Status(200)),
            always("accept.apigw.json", Problem(410, "gone")),
            always("broken-body.apigw.json", Problem(400, "malformed-body")),
            always(
                "broken-method.apigw.json",
                Problem(405, "method-not-allowed"),
            ),
            always("broken-payload-1.0.apigw.json", Error("UnknownEvent")),
        ],
    );
}
