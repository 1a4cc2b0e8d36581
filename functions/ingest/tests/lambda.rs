//! The binary, as AWS Lambda runs it, with every event of `events/ingest/`.

use ringfence_test_lambda::{
    Expected::{Error, Problem, Status},
    check,
};

#[test]
fn every_event_is_answered_as_it_should_be() {
    check(
        env!("CARGO_BIN_EXE_ingest"),
        "ingest",
        &[
            (
                "event.apigw.json",
                Problem(401, "unauthenticated"),
                Problem(503, "unavailable"),
            ),
            (
                "batch-ndjson.apigw.json",
                Problem(401, "unauthenticated"),
                Problem(503, "unavailable"),
            ),
            (
                "form-with-basic-auth.apigw.json",
                Problem(401, "unauthenticated"),
                Problem(503, "unavailable"),
            ),
            (
                "signed-form.apigw.json",
                Problem(401, "unauthenticated"),
                Problem(503, "unavailable"),
            ),
            ("event-types.apigw.json", Status(200), Status(200)),
            (
                "event-type-unknown.apigw.json",
                Problem(404, "not-found"),
                Problem(404, "not-found"),
            ),
            (
                "broken-no-key.apigw.json",
                Problem(401, "unauthenticated"),
                Problem(401, "unauthenticated"),
            ),
            (
                "broken-method.apigw.json",
                Problem(405, "method-not-allowed"),
                Problem(405, "method-not-allowed"),
            ),
            (
                "broken-base64.apigw.json",
                Problem(400, "malformed-body"),
                Problem(400, "malformed-body"),
            ),
            (
                "broken-path.apigw.json",
                Problem(404, "not-found"),
                Problem(404, "not-found"),
            ),
            (
                "broken-payload-1.0.apigw.json",
                Error("UnknownEvent"),
                Error("UnknownEvent"),
            ),
        ],
    );
}
