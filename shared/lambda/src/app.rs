//! The [`App`] over AWS.

use std::sync::Arc;

use ringfence_aws::{Aws, ConfigError, KmsKeys, S3Blobs, Store, StoreOptions};
use ringfence_domain::App;
use ringfence_ports::{Clock, Random, SystemClock, SystemRandom};
use ringfence_webhook::{
    Policy, Sender, Subnet,
    send::{self, SenderError},
    target::SystemResolver,
};

/// Subnets that callbacks may go to beside public addresses, with commas between: for tests.
const ALLOW_SUBNET: &str = "RINGFENCE_ALLOW_SUBNET";
/// The origin under which the world reaches this installation.
const PUBLIC_URL: &str = "RINGFENCE_PUBLIC_URL";

/// Why a function cannot run. Names what is missing, never a value.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// It was not Lambda that started it.
    #[error(
        "this program runs on AWS Lambda, which sets AWS_LAMBDA_RUNTIME_API; on a machine of your own use `cargo lambda watch`, or the `ringfence` program"
    )]
    NotLambda,
    /// The environment does not say all that is needed.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Callbacks could not be sent.
    #[error("callbacks could not be sent: {0}")]
    Sender(#[from] SenderError),
    /// No asynchronous runtime.
    #[error("the runtime did not start: {0}")]
    Runtime(std::io::Error),
    /// Lambda hands over no more events.
    #[error("the runtime API failed: {0}")]
    Events(lambda_runtime::Error),
}

/// What more than the table, the queues and the keys a function needs: each names a part of the SDK, which
/// is in a binary only where the binary asks for it.
pub(crate) type Addition = fn(App, &Aws) -> Result<App, ConfigError>;

/// An app over what the environment names: `RINGFENCE_TABLE`, `RINGFENCE_QUEUE_<NAME>` for each queue
/// (a URL), `RINGFENCE_SEAL_KEY` and `RINGFENCE_MAC_KEY` (KMS keys); optionally
/// `RINGFENCE_PUBLIC_URL`, and `RINGFENCE_ALLOW_SUBNET` with commas between subnets; region and
/// credentials as Lambda sets them. And what `additions` want.
///
/// Sends nothing.
pub(crate) fn from_env(additions: &[Addition]) -> Result<App, StartError> {
    if std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_none() {
        return Err(StartError::NotLambda);
    }
    let aws = Aws::from_env()?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let random: Arc<dyn Random> = Arc::new(SystemRandom::new());
    let options = StoreOptions::from_env()?;
    let store = Arc::new(Store::new(&aws, options, clock.clone(), random.clone()));
    let keys = Arc::new(KmsKeys::from_env(&aws, random.clone())?);
    let policy = policy(text(ALLOW_SUBNET)?.as_deref().unwrap_or_default())?;
    let sender = Sender::new(policy, Arc::new(SystemResolver), send::Options::default())?;
    let mut app = App::new(store.clone(), store, keys, clock, random, sender);
    app.public_origin = text(PUBLIC_URL)?;
    app.max_message_bytes = Some(crate::gateway::MAX_BINARY_BYTES);
    for addition in additions {
        app = addition(app, &aws)?;
    }
    Ok(app)
}

/// Recordings' audio, in the bucket that `RINGFENCE_BUCKET` names.
pub(crate) fn blobs(app: App, aws: &Aws) -> Result<App, ConfigError> {
    let blobs = S3Blobs::from_env(aws, app.clock.clone(), app.random.clone())?;
    Ok(app.with_blobs(Arc::new(blobs)))
}

/// A variable's text, where it is set and not empty.
fn text(name: &str) -> Result<Option<String>, ConfigError> {
    match std::env::var_os(name).map(std::ffi::OsString::into_string) {
        None => Ok(None),
        Some(Ok(text)) => Ok(Some(text).filter(|text| !text.is_empty())),
        Some(Err(_)) => Err(ConfigError::Invalid(name.to_owned())),
    }
}

fn policy(subnets: &str) -> Result<Policy, ConfigError> {
    let mut policy = Policy::public();
    for subnet in subnets
        .split(',')
        .map(str::trim)
        .filter(|subnet| !subnet.is_empty())
    {
        let subnet: Subnet = subnet
            .parse()
            .map_err(|_| ConfigError::Invalid(ALLOW_SUBNET.to_owned()))?;
        tracing::warn!(%subnet, "callbacks may also go to this subnet");
        policy = policy.allow_subnet(subnet);
    }
    Ok(policy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_unless_told() {
        let loopback = "127.0.0.1".parse().unwrap();
        assert!(!policy("").unwrap().permits(loopback, 8080));
        let opened = policy("10.1.0.0/16, 127.0.0.0/8").unwrap();
        assert!(opened.permits(loopback, 8080));
        assert!(!opened.permits("10.2.0.1".parse().unwrap(), 80));
    }

    #[test]
    fn what_is_no_subnet_is_refused_by_the_variables_name() {
        let error = policy("127.0.0.0/8,localhost").unwrap_err();
        assert_eq!(error, ConfigError::Invalid(ALLOW_SUBNET.to_owned()));
    }
}
