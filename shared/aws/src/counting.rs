//! Counts what is asked of AWS, where it leaves the SDK (feature `counting`, for tests).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use http_body_util::BodyExt as _;
use serde_json::Value;

/// What has been asked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    /// HTTP requests by operation (`PutItem`, `SendMessageBatch`), every try counted.
    pub requests: BTreeMap<String, u64>,
    /// Requests that SQS bills: each started 64 KiB of the payload is one.
    pub billed_sends: u64,
    /// Write units by operation, as `DynamoDB` reported them
    /// ([`StoreOptions::report_capacity`](crate::StoreOptions)).
    pub write_units: BTreeMap<String, f64>,
    /// Read units by operation.
    pub read_units: BTreeMap<String, f64>,
}

impl Tally {
    /// All requests.
    pub fn total(&self) -> u64 {
        self.requests.values().sum()
    }

    /// All write units.
    pub fn writes(&self) -> f64 {
        self.write_units.values().sum()
    }

    /// All read units.
    pub fn reads(&self) -> f64 {
        self.read_units.values().sum()
    }
}

#[derive(Clone, Debug)]
enum Script {
    LoseAnswer,
    Answer { status: u16, body: String },
}

/// Counts the requests of the [`Aws`](crate::Aws) that it is given to, and fails those it is told to.
#[derive(Debug, Default)]
pub struct Counter {
    tally: Mutex<Tally>,
    /// What happens to the next requests of an operation, and to how many.
    scripts: Mutex<BTreeMap<String, (Script, u32)>>,
}

impl Counter {
    /// The counts since the last time.
    pub fn take(&self) -> Tally {
        std::mem::take(&mut *self.tally.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Has the next `times` requests of `operation` done, and their answers lost.
    pub fn lose_answers(&self, operation: &str, times: u32) {
        self.script(operation, Script::LoseAnswer, times);
    }

    /// Has the next `times` requests of `operation` answered so, and not done.
    pub fn answer_with(&self, operation: &str, status: u16, body: &str, times: u32) {
        let body = body.to_owned();
        self.script(operation, Script::Answer { status, body }, times);
    }

    fn script(&self, operation: &str, script: Script, times: u32) {
        let mut scripts = self.scripts.lock().unwrap_or_else(PoisonError::into_inner);
        scripts.insert(operation.to_owned(), (script, times));
    }

    fn next_script(&self, operation: &str) -> Option<Script> {
        let mut scripts = self.scripts.lock().unwrap_or_else(PoisonError::into_inner);
        let (script, times) = scripts.get_mut(operation)?;
        *times = times.checked_sub(1)?;
        Some(script.clone())
    }

    fn asked(&self, operation: &str, bytes: usize) {
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        *tally.requests.entry(operation.to_owned()).or_default() += 1;
        if operation == "SendMessageBatch" {
            tally.billed_sends += bytes.div_ceil(64 * 1024).max(1) as u64;
        }
    }

    fn answered(&self, operation: &str, body: &[u8]) {
        let Ok(answer) = serde_json::from_slice::<Value>(body) else {
            return;
        };
        let units = match answer.get("ConsumedCapacity") {
            Some(Value::Array(all)) => all.iter().filter_map(capacity).sum(),
            Some(one) => capacity(one).unwrap_or_default(),
            None => return,
        };
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        let reads = matches!(operation, "GetItem" | "BatchGetItem" | "Query");
        let by = if reads {
            &mut tally.read_units
        } else {
            &mut tally.write_units
        };
        *by.entry(operation.to_owned()).or_default() += units;
    }
}

fn capacity(consumed: &Value) -> Option<f64> {
    consumed.get("CapacityUnits")?.as_f64()
}

pub(crate) fn wrap(inner: SharedHttpClient, counter: &Arc<Counter>) -> SharedHttpClient {
    SharedHttpClient::new(Client {
        inner,
        counter: Arc::clone(counter),
    })
}

#[derive(Debug)]
struct Client {
    inner: SharedHttpClient,
    counter: Arc<Counter>,
}

impl HttpClient for Client {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(Connector {
            inner,
            counter: Arc::clone(&self.counter),
        })
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.inner.connector_metadata()
    }
}

/// `DynamoDB`, SQS and KMS name it in a header. S3 has none: its method, and the first word of the query
/// (`POST delete`, `PUT partNumber`).
fn operation(request: &HttpRequest) -> String {
    if let Some(target) = request.headers().get("x-amz-target") {
        return target.rsplit('.').next().unwrap_or_default().to_owned();
    }
    let query = request.uri().split_once('?').map_or("", |(_, query)| query);
    let first = query.split(['&', '=']).next().unwrap_or_default();
    format!("{} {first}", request.method())
        .trim_end()
        .to_owned()
}

#[derive(Debug)]
struct Connector {
    inner: SharedHttpConnector,
    counter: Arc<Counter>,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let operation = operation(&request);
        let counter = Arc::clone(&self.counter);
        counter.asked(&operation, request.body().bytes().map_or(0, <[u8]>::len));
        let script = counter.next_script(&operation);
        if let Some(Script::Answer { status, body }) = script {
            let status = StatusCode::try_from(status).map_err(|e| ConnectorError::user(e.into()));
            return HttpConnectorFuture::ready(
                status.map(|status| HttpResponse::new(status, SdkBody::from(body))),
            );
        }
        let answer = self.inner.call(request);
        HttpConnectorFuture::new(async move {
            let mut answer = answer.await?;
            let body = std::mem::replace(answer.body_mut(), SdkBody::taken());
            let whole = body.collect().await.map_err(ConnectorError::io)?.to_bytes();
            counter.answered(&operation, &whole);
            if script.is_some() {
                return Err(ConnectorError::io(
                    "the answer was lost, as it was told to be".into(),
                ));
            }
            *answer.body_mut() = SdkBody::from(whole);
            Ok(answer)
        })
    }
}
