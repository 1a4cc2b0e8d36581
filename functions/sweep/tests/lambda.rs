//! The binary, as AWS Lambda runs it, with every event of `events/sweep/`.

use std::time::{Duration, Instant};

use ringfence_test_lambda::{
    Aws,
    Expected::{Done, Error},
    Function, Outcome, check, sample,
};

#[test]
fn every_event_is_answered_as_it_should_be() {
    check(
        env!("CARGO_BIN_EXE_sweep"),
        "sweep",
        &[
            ("minute.schedule.json", Done, Error("Failed")),
            ("broken-empty.schedule.json", Done, Error("Failed")),
        ],
    );
}

#[test]
fn a_run_that_takes_too_long_says_so_before_the_function_is_killed() {
    let function = Function::start(env!("CARGO_BIN_EXE_sweep"), Aws::Silent);
    let started = Instant::now();
    let outcome = function.invoke(
        &sample("sweep", "minute.schedule.json"),
        Duration::from_secs(3),
    );
    assert_eq!(outcome, Outcome::Error("OutOfTime".to_owned()));
    assert!(started.elapsed() < Duration::from_secs(3));
}
