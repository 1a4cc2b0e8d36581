//! The `sweep` function: what a clock sets off every minute.

use ringfence_domain::App;
use ringfence_ports::StoreError;

/// One run. Answers how many deliveries were due. An error leaves the rest for the next run.
pub async fn run(app: &App) -> Result<usize, StoreError> {
    let queued = app.sweep_due_deliveries().await;
    // What keeps the one from its work is no reason to leave the other.
    let signed = app.sweep_checkpoints().await?;
    if signed > 0 {
        tracing::info!(signed, "checkpoints of histories signed");
    }
    let queued = queued?;
    if queued > 0 {
        tracing::info!(queued, "due deliveries queued");
    }
    Ok(queued)
}
