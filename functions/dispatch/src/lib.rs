//! The `dispatch` function: takes batches of deliveries from the queue, sends each, and records what
//! came of it. All of it is [`ringfence_domain::callback::Dispatcher`].

use std::sync::Arc;

use ringfence_domain::{App, callback::Dispatcher};

/// The consumer of the dispatch queue.
pub fn consumer(app: Arc<App>) -> Dispatcher {
    Dispatcher::new(app)
}
