//! What a failed request means, and how long it is worth trying again.

use std::time::Duration;

use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use ringfence_ports::{Random, StoreError};
use tokio::time::Instant;

/// For how long after its start a request is tried again.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);

const FIRST_PAUSE: Duration = Duration::from_millis(25);
const LONGEST_PAUSE: Duration = Duration::from_millis(400);

/// Why a request was not answered as hoped.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Throttled or in conflict: it certainly did nothing. Worth another try.
    Busy,
    /// No answer, or one that says that the service failed: it may have been done. Worth another try
    /// where a second time does no harm.
    Unsure(String),
    /// Refused for a reason that stays.
    Refused(String),
}

impl From<Trouble> for StoreError {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Busy => Self::Busy,
            Trouble::Unsure(cause) | Trouble::Refused(cause) => Self::Unavailable(cause),
        }
    }
}

/// Codes by which `DynamoDB`, SQS and KMS say "later"
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html>).
pub(crate) fn is_busy(code: &str) -> bool {
    matches!(
        code,
        "ProvisionedThroughputExceededException"
            | "ProvisionedThroughputExceeded"
            | "RequestLimitExceeded"
            | "RequestThrottled"
            | "RequestThrottledException"
            | "Throttling"
            | "ThrottlingError"
            | "ThrottlingException"
            | "ThrottledException"
            | "TooManyRequestsException"
            | "TransactionConflict"
            | "TransactionConflictException"
            | "TransactionInProgressException"
            | "AWS.SimpleQueueService.RequestThrottled"
            | "SlowDown"
    )
}

/// What an error of the SDK means. The causes hold AWS's code and nothing of the request: messages of
/// the services quote keys.
pub(crate) fn trouble<E, R>(error: &SdkError<E, R>) -> Trouble
where
    E: ProvideErrorMetadata,
    R: Status,
{
    match error {
        SdkError::ConstructionFailure(_) => {
            Trouble::Refused("the request could not be made".to_owned())
        }
        SdkError::TimeoutError(_) => Trouble::Unsure("no answer in time".to_owned()),
        SdkError::DispatchFailure(failure) => Trouble::Unsure(
            if failure.is_timeout() {
                "no connection in time"
            } else {
                "no connection"
            }
            .to_owned(),
        ),
        SdkError::ResponseError(_) => Trouble::Unsure("an answer that is none".to_owned()),
        SdkError::ServiceError(service) => {
            let code = service.err().code().unwrap_or("no code");
            let cause = || format!("the service answered {code}");
            if is_busy(code) {
                Trouble::Busy
            } else if service.raw().status() >= 500 {
                Trouble::Unsure(cause())
            } else {
                Trouble::Refused(cause())
            }
        }
        _ => Trouble::Unsure("an unknown error".to_owned()),
    }
}

/// The HTTP status of a raw answer.
pub(crate) trait Status {
    fn status(&self) -> u16;
}

impl Status for aws_smithy_runtime_api::client::orchestrator::HttpResponse {
    fn status(&self) -> u16 {
        self.status().as_u16()
    }
}

/// The time that one request has, with all its tries.
pub(crate) struct Patience {
    until: Instant,
    pause: Duration,
}

impl Patience {
    pub(crate) fn new() -> Self {
        Self {
            until: Instant::now() + PATIENCE,
            pause: FIRST_PAUSE,
        }
    }

    /// Waits a random part of a pause that doubles, so that those in conflict part. `false`: the time is up.
    pub(crate) async fn wait(&mut self, random: &dyn Random) -> bool {
        let pause = self.pause.mul_f64(random.unit());
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        if Instant::now() + pause >= self.until {
            return false;
        }
        tokio::time::sleep(pause).await;
        true
    }

    /// Waits after `trouble` where another try is worth it; else answers with what it was.
    pub(crate) async fn outlast(
        &mut self,
        trouble: Trouble,
        random: &dyn Random,
    ) -> Result<(), Trouble> {
        if matches!(trouble, Trouble::Refused(_)) || !self.wait(random).await {
            return Err(trouble);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_smithy_types::error::ErrorMetadata;
    use ringfence_ports::contract::TestRandom;

    struct Answer(u16);

    impl Status for Answer {
        fn status(&self) -> u16 {
            self.0
        }
    }

    fn service(code: &str, status: u16) -> Trouble {
        let metadata = ErrorMetadata::builder()
            .code(code)
            .message("pk = secret")
            .build();
        trouble(&SdkError::service_error(metadata, Answer(status)))
    }

    #[test]
    fn throttles_conflicts_and_failures_are_told_apart() {
        assert_eq!(service("ThrottlingException", 400), Trouble::Busy);
        assert_eq!(
            service("ProvisionedThroughputExceededException", 400),
            Trouble::Busy
        );
        assert_eq!(service("TransactionConflictException", 400), Trouble::Busy);
        assert!(matches!(
            service("InternalServerError", 500),
            Trouble::Unsure(_)
        ));
        let refused = service("AccessDeniedException", 400);
        assert_eq!(
            refused,
            Trouble::Refused("the service answered AccessDeniedException".to_owned())
        );
        assert!(!format!("{refused:?}").contains("secret"));
    }

    #[tokio::test(start_paused = true)]
    async fn patience_ends() {
        let random = TestRandom::new(1);
        let (mut patience, started) = (Patience::new(), Instant::now());
        let mut tries = 1;
        while patience.outlast(Trouble::Busy, &random).await.is_ok() {
            tries += 1;
        }
        assert!(started.elapsed() <= PATIENCE);
        assert!((6..40).contains(&tries), "{tries} tries");
        let refused = Trouble::Refused(String::new());
        assert!(Patience::new().outlast(refused, &random).await.is_err());
    }
}
