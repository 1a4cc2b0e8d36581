//! The least that a function of Ringfence's kind can be: `lambda_http`, axum and the AWS clients.

use std::sync::Arc;

use axum::{Router, extract::State, http::StatusCode, routing::any};
use ringfence_aws::{Aws, KmsKeys, Store, StoreOptions};
use ringfence_ports::{Clock, Key, Random, SystemClock, SystemRandom, Table as _};

struct Clients {
    store: Store,
    // Made, as each of the functions makes it, and not used.
    _keys: KmsKeys,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    let aws = Aws::from_env()?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let random: Arc<dyn Random> = Arc::new(SystemRandom::new());
    let clients = Clients {
        store: Store::new(&aws, StoreOptions::from_env()?, clock, random.clone()),
        _keys: KmsKeys::from_env(&aws, random)?,
    };
    let router = Router::new()
        .route("/nothing", any(async || StatusCode::UNAUTHORIZED))
        .fallback(look_up)
        .with_state(Arc::new(clients));
    lambda_http::run(router).await
}

/// One read, as authentication makes it.
async fn look_up(State(clients): State<Arc<Clients>>) -> StatusCode {
    match clients.store.get(&Key::new("key/bare", "key")).await {
        Ok(Some(_)) => StatusCode::OK,
        Ok(None) => StatusCode::UNAUTHORIZED,
        Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}
