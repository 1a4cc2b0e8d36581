use std::time::Duration;

use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_async::time::{SharedTimeSource, SystemTimeSource};
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use aws_types::region::Region;

/// Amazon Root CA 1 to 4 and Starfield Services Root CA G2: what AWS's endpoints chain to
/// (<https://www.amazontrust.com/repository/>). The system's store would have to be read and parsed
/// at each cold start.
const ROOTS: &[u8] = include_bytes!("roots.pem");

/// Reaching a service in the same region takes milliseconds.
pub(crate) const CONNECT: Duration = Duration::from_millis(1500);
/// One try of one request. A full batch of messages is a megabyte.
const ATTEMPT: Duration = Duration::from_secs(5);

/// Why there is no configuration. Names what is missing, never a value.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum ConfigError {
    /// A variable of the environment is missing or is not text.
    #[error("the environment variable {0} is not set")]
    Missing(String),
    /// A variable cannot be what it has to be.
    #[error("the environment variable {0} is not valid")]
    Invalid(String),
    /// The HTTP client could not be made.
    #[error("no TLS client: {0}")]
    Tls(String),
}

/// What requests are signed with.
#[derive(Clone)]
pub struct Credentials {
    /// `AWS_ACCESS_KEY_ID`.
    pub access_key_id: String,
    /// `AWS_SECRET_ACCESS_KEY`.
    pub secret_access_key: String,
    /// `AWS_SESSION_TOKEN`; a role's credentials always have one.
    pub session_token: Option<String>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credentials")
    }
}

/// Where to and as whom.
#[derive(Clone, Debug)]
pub struct Connection {
    /// `eu-west-1` and the like.
    pub region: String,
    /// Instead of AWS's own endpoints (an emulator).
    pub endpoint: Option<String>,
    /// As whom.
    pub credentials: Credentials,
}

impl Connection {
    /// From the variables that Lambda sets for each function: `AWS_REGION`, `AWS_ACCESS_KEY_ID`,
    /// `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`; and `AWS_ENDPOINT_URL` where it is set.
    /// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime>
    ///
    /// Nothing else is asked: no profile file, no instance metadata. Those of a function hold as
    /// long as its environment lives.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::from_variables(|name| std::env::var(name).ok())
    }

    fn from_variables(get: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let optional = |name: &str| get(name).filter(|value| !value.is_empty());
        let required =
            |name: &str| optional(name).ok_or_else(|| ConfigError::Missing(name.to_owned()));
        Ok(Self {
            region: required("AWS_REGION")?,
            endpoint: optional("AWS_ENDPOINT_URL"),
            credentials: Credentials {
                access_key_id: required("AWS_ACCESS_KEY_ID")?,
                secret_access_key: required("AWS_SECRET_ACCESS_KEY")?,
                session_token: optional("AWS_SESSION_TOKEN"),
            },
        })
    }
}

/// The client configuration that all adapters of a process share: one HTTP client with one
/// connection pool, one identity.
#[derive(Clone)]
pub struct Aws {
    pub(crate) config: SdkConfig,
}

impl std::fmt::Debug for Aws {
    /// Without the SDK's own, which shows the access key id.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Aws")
            .field("region", &self.config.region())
            .field("endpoint", &self.config.endpoint_url())
            .finish_non_exhaustive()
    }
}

impl Aws {
    /// A configuration for this connection. Sends nothing.
    pub fn new(connection: &Connection) -> Result<Self, ConfigError> {
        Ok(Self::with_client(connection, http_client()?))
    }

    /// As [`Connection::from_env`] says.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::new(&Connection::from_env()?)
    }

    /// The same, with every request told to `counter`.
    #[cfg(feature = "counting")]
    pub fn counted(
        connection: &Connection,
        counter: &std::sync::Arc<crate::Counter>,
    ) -> Result<Self, ConfigError> {
        let client = crate::counting::wrap(http_client()?, counter);
        Ok(Self::with_client(connection, client))
    }

    fn with_client(connection: &Connection, client: SharedHttpClient) -> Self {
        let credentials = aws_credential_types::Credentials::new(
            &connection.credentials.access_key_id,
            &connection.credentials.secret_access_key,
            connection.credentials.session_token.clone(),
            None,
            "environment",
        );
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT)
            .operation_attempt_timeout(ATTEMPT)
            .build();
        let mut builder = SdkConfig::builder();
        builder.set_endpoint_url(connection.endpoint.clone());
        let config = builder
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(connection.region.clone()))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(client)
            .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
            .time_source(SharedTimeSource::new(SystemTimeSource::new()))
            .timeout_config(timeouts)
            // Ours (`retry`): it tells a conflict from a failure, and a request that certainly did
            // nothing from one that may have.
            .retry_config(RetryConfig::disabled())
            // Answers are small; the attempt's own deadline covers one that stalls.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .build();
        Self { config }
    }
}

fn http_client() -> Result<SharedHttpClient, ConfigError> {
    let tls = TlsContext::builder()
        .with_trust_store(TrustStore::empty().with_pem_certificate(ROOTS))
        .build()
        .map_err(|error| ConfigError::Tls(error.to_string()))?;
    Ok(aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .tls_context(tls)
        // Shorter than the services keep a silent connection.
        .pool_idle_timeout(Duration::from_secs(15))
        .build_https())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(all: &'static [(&'static str, &'static str)]) -> impl Fn(&str) -> Option<String> {
        |name| {
            all.iter()
                .find(|(n, _)| *n == name)
                .map(|(_, value)| (*value).to_owned())
        }
    }

    const WHOLE: &[(&str, &str)] = &[
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "AKIDCANARY"),
        ("AWS_SECRET_ACCESS_KEY", "secret-canary"),
        ("AWS_SESSION_TOKEN", "token-canary"),
        ("AWS_ENDPOINT_URL", ""),
    ];

    #[test]
    fn lambdas_environment_is_enough() {
        let connection = Connection::from_variables(variables(WHOLE)).unwrap();
        assert_eq!(
            (connection.region.as_str(), connection.endpoint.as_deref()),
            ("eu-west-1", None)
        );
        assert_eq!(
            connection.credentials.session_token.as_deref(),
            Some("token-canary")
        );
        Aws::new(&connection).unwrap();
    }

    #[test]
    fn what_is_missing_is_named() {
        let error = Connection::from_variables(variables(&WHOLE[..2])).unwrap_err();
        assert_eq!(
            error,
            ConfigError::Missing("AWS_SECRET_ACCESS_KEY".to_owned())
        );
    }

    #[test]
    fn debug_shows_no_credentials() {
        let connection = Connection::from_variables(variables(WHOLE)).unwrap();
        let shown = format!("{connection:?} {:?}", Aws::new(&connection).unwrap());
        assert!(
            !shown.contains("canary") && !shown.contains("CANARY"),
            "{shown}"
        );
    }

    #[test]
    fn the_roots_are_amazons_five() {
        let pem = std::str::from_utf8(ROOTS).unwrap();
        assert_eq!(pem.matches("BEGIN CERTIFICATE").count(), 5);
    }
}
