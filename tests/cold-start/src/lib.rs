//! What the bare functions share: the least that a function of Ringfence's kind can be, `lambda_http`, axum
//! and the AWS clients.

#![cfg(feature = "lambda")]

use std::sync::Arc;

use axum::{Router, extract::State, http::StatusCode, routing::any};
use ringfence_aws::{Aws, ConfigError, KmsKeys, Store, StoreOptions};
use ringfence_ports::{Clock, Key, Random, SystemClock, SystemRandom, Table as _};

struct Clients<T> {
    store: Store,
    // Made, as each of the functions makes them, and not used.
    _keys: KmsKeys,
    _more: T,
}

/// Runs a bare function, which has the clients of all functions and one `more`.
pub fn run<T: Send + Sync + 'static>(
    more: impl FnOnce(&Aws, Arc<dyn Clock>, Arc<dyn Random>) -> Result<T, ConfigError>,
) -> Result<(), lambda_http::Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let aws = Aws::from_env()?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let random: Arc<dyn Random> = Arc::new(SystemRandom::new());
        let clients = Clients {
            _more: more(&aws, clock.clone(), random.clone())?,
            store: Store::new(&aws, StoreOptions::from_env()?, clock, random.clone()),
            _keys: KmsKeys::from_env(&aws, random)?,
        };
        let router = Router::new()
            .route("/nothing", any(async || StatusCode::UNAUTHORIZED))
            .fallback(look_up::<T>)
            .with_state(Arc::new(clients));
        lambda_http::run(router).await
    })
}

/// One read, as authentication makes it.
async fn look_up<T>(State(clients): State<Arc<Clients<T>>>) -> StatusCode {
    match clients.store.get(&Key::new("key/bare", "key")).await {
        Ok(Some(_)) => StatusCode::OK,
        Ok(None) => StatusCode::UNAUTHORIZED,
        Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}
