//! Logs: to standard error, structured, with ids and codes only.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::{
    Layer as _, filter::Targets, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

use super::args::{LogFormat, LogLevel};

/// Starts logging.
pub fn start(format: LogFormat, level: LogLevel) {
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    };
    // Other people's crates log what they like, and at their lower levels whole messages.
    let filter = Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        .with_target("ringfence", level);
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = match format {
        LogFormat::Text => lines.with_ansi(false).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    // Fails only where logging was started before.
    let _ = tracing_subscriber::registry()
        .with(lines.with_filter(filter))
        .try_init();
}

/// Has panics logged by their place alone: what a panic says can quote the data that it stumbled over.
pub fn silence_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map(ToString::to_string)
            .unwrap_or_default();
        if tracing::dispatcher::has_been_set() {
            tracing::error!(place, "a defect: this code panicked");
        } else {
            eprintln!("ringfence: a defect: {place} panicked");
        }
    }));
}
