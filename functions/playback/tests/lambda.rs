//! The binary, as AWS Lambda runs it, with every event of `events/playback/`.

use ringfence_test_lambda::{
    Expected::{Error, Problem, Status},
    check,
};

#[test]
fn every_event_is_answered_as_it_should_be() {
    let always = |file, expected| (file, expected, expected);
    check(
        env!("CARGO_BIN_EXE_playback"),
        "playback",
        &[
            ("page.apigw.json", Status(404), Status(503)),
            ("look.apigw.json", Status(404), Status(503)),
            (
                "link.apigw.json",
                Problem(404, "not-found"),
                Problem(503, "unavailable"),
            ),
            ("pin.apigw.json", Status(404), Status(503)),
            ("audio.apigw.json", Status(404), Status(503)),
            always("style.apigw.json", Status(200)),
            (
                "broken-token.apigw.json",
                Problem(404, "not-found"),
                Problem(503, "unavailable"),
            ),
            always(
                "broken-method.apigw.json",
                Problem(405, "method-not-allowed"),
            ),
            always("broken-base64.apigw.json", Problem(400, "malformed-body")),
            always("broken-payload-1.0.apigw.json", Error("UnknownEvent")),
        ],
    );
}
