//! What all kinds of events have in common: a deadline, and an error that tells nothing.

use std::{future::Future, time::Duration};

use jiff::Timestamp;
use lambda_runtime::Diagnostic;
use tracing::Instrument as _;

/// What is left of the function's time for its answer when the work is stopped.
const MARGIN: Duration = Duration::from_secs(1);

/// Why an invocation failed, as Lambda is told. Nothing of the event is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// The event is none of those that this function is made for.
    #[error("this function does not take such an event")]
    Unknown,
    /// The work was not done when the function's time was over.
    #[error("the function's time is over")]
    OutOfTime,
    /// It failed; the log says how.
    #[error("the work failed; the log says why")]
    Failed,
}

impl From<EventError> for Diagnostic {
    fn from(error: EventError) -> Self {
        let kind = match error {
            EventError::Unknown => "UnknownEvent",
            EventError::OutOfTime => "OutOfTime",
            EventError::Failed => "Failed",
        };
        Self {
            error_type: kind.to_owned(),
            error_message: error.to_string(),
        }
    }
}

/// How long work may take so that an invocation that ends at `deadline_ms` (Unix time) can still
/// answer.
pub(crate) fn time_left(deadline_ms: u64, now: Timestamp) -> Duration {
    let now = u64::try_from(now.as_millisecond()).unwrap_or_default();
    Duration::from_millis(deadline_ms.saturating_sub(now)).saturating_sub(MARGIN)
}

/// Does some work as a task of its own, for as long as there is time.
pub(crate) async fn bounded<T, E>(
    work: impl Future<Output = Result<T, E>> + Send + 'static,
    left: Duration,
) -> Result<(), EventError>
where
    T: Send + 'static,
    E: std::error::Error + Send + 'static,
{
    let mut task = tokio::spawn(work.in_current_span());
    match tokio::time::timeout(left, &mut task).await {
        Ok(Ok(Ok(_))) => Ok(()),
        Ok(Ok(Err(error))) => {
            tracing::error!(%error, "a run failed; the next one goes on with it");
            Err(EventError::Failed)
        }
        // A panic, which has been logged.
        Ok(Err(_)) => Err(EventError::Failed),
        Err(_) => {
            // Else it would go on in the middle of the next invocation.
            task.abort();
            tracing::error!(
                "a run took longer than the function has; the next one goes on with it"
            );
            Err(EventError::OutOfTime)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOREVER: Duration = Duration::from_hours(1);

    #[test]
    fn some_time_is_kept_for_the_answer() {
        let now = Timestamp::from_millisecond(1_000_000).unwrap();
        assert_eq!(time_left(1_030_000, now), Duration::from_secs(29));
        assert_eq!(time_left(1_000_500, now), Duration::ZERO);
        assert_eq!(time_left(0, now), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_run_ends_well_or_is_told_to_have_failed() {
        let ok = async { Ok::<_, std::fmt::Error>(3) };
        assert_eq!(bounded(ok, FOREVER).await, Ok(()));
        let error = async { Err::<(), _>(std::fmt::Error) };
        assert_eq!(bounded(error, FOREVER).await, Err(EventError::Failed));
        let panics = async {
            if FOREVER > Duration::ZERO {
                panic!("+14155550132")
            } else {
                Ok::<(), std::fmt::Error>(())
            }
        };
        assert_eq!(bounded(panics, FOREVER).await, Err(EventError::Failed));
    }

    #[tokio::test(start_paused = true)]
    async fn a_run_without_end_is_stopped() {
        let (alive, gone) = tokio::sync::oneshot::channel::<()>();
        let work = async move {
            let _alive = alive;
            std::future::pending::<Result<(), std::fmt::Error>>().await
        };
        assert_eq!(
            bounded(work, Duration::from_secs(20)).await,
            Err(EventError::OutOfTime)
        );
        gone.await.unwrap_err();
    }
}
