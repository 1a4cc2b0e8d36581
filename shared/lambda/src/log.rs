//! JSON lines on standard output, which Lambda takes to `CloudWatch` Logs.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::{
    Layer as _, filter::Targets, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

/// Starts logging at the level that `RINGFENCE_LOG_LEVEL` names (`error`, `warn`, `info`, `debug`;
/// `info` unless set), and has panics logged by their place alone: what a panic says can quote the data
/// that it stumbled over.
pub(crate) fn start() {
    let wanted = std::env::var("RINGFENCE_LOG_LEVEL")
        .ok()
        .filter(|level| !level.is_empty());
    let level = wanted.as_deref().map_or(Ok(LevelFilter::INFO), str::parse);
    // Other people's crates log what they like, and at their lower levels whole messages.
    let ours = *level.as_ref().unwrap_or(&LevelFilter::INFO);
    let filter = Targets::new()
        .with_default(ours.min(LevelFilter::WARN))
        .with_target("ringfence", ours)
        // It quotes events that it cannot read, and what panicked.
        .with_target("lambda_runtime", LevelFilter::OFF);
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_span_list(false);
    // Fails only where logging was started before.
    let _ = tracing_subscriber::registry()
        .with(lines.with_filter(filter))
        .try_init();
    if level.is_err() {
        tracing::warn!("RINGFENCE_LOG_LEVEL is none of error, warn, info, debug; taken as info");
    }
    std::panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map(ToString::to_string)
            .unwrap_or_default();
        tracing::error!(place, "a defect: this code panicked");
    }));
}
