//! Taking deliveries from the queue and sending them.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::join_all;
use http::HeaderValue;
use jiff::{SignedDuration, Timestamp};
use ringfence_ports::{Consumer, MAX_DELAY, Op, Put, Received, StoreError, Unit, When};
use ringfence_webhook::{Outcome, Outgoing, Target, Timeouts};
use serde_json::value::RawValue;

use super::{
    delivery::{Attempt, Delivery, Status},
    gate::{Breaker, Gate},
    message::{DispatchMessage, group},
    schedule,
};
use crate::{
    App,
    event::body::{self, Body},
    ingest::StoredEvent,
    keyspace,
    settings::{AccountConfig, Endpoint, EndpointKind},
};

/// The longest that a message waits in memory for its slot under the endpoint's rate limit; longer, and
/// it goes back to the queue.
const MAX_SLOT_WAIT: Duration = Duration::from_millis(500);

/// How late a delivery may come for the slot that it was given.
const SLOT_TOLERANCE: Duration = Duration::from_secs(5);

/// How much longer than the request's deadline an attempt is claimed for.
const CLAIM_MARGIN: SignedDuration = SignedDuration::from_secs(10);

/// How many days are remembered as announced.
const DAYS_REMEMBERED: usize = 4096;

/// Sends deliveries. One per process: it keeps the gates of the endpoints.
pub struct Dispatcher {
    app: Arc<App>,
    gates: Mutex<HashMap<String, Arc<Gate>>>,
    announced_days: Mutex<HashSet<String>>,
}

/// What came of one request.
#[derive(Debug)]
pub struct Tried {
    /// What happened, and whether that is success.
    pub outcome: Outcome,
    /// How long the receiver asks to wait.
    pub retry_after: Option<Duration>,
    /// The same for the log.
    pub attempt: Attempt,
}

#[async_trait]
impl Consumer for Dispatcher {
    async fn handle(&self, batch: Vec<Received>) -> Vec<String> {
        let results = join_all(batch.iter().map(|message| self.take(message))).await;
        let mut failed = Vec::new();
        for (message, result) in batch.into_iter().zip(results) {
            if let Err(error) = result {
                tracing::warn!(message = message.id, receives = message.receives, %error, "a delivery could not be worked on");
                failed.push(message.id);
            }
        }
        failed
    }
}

/// Why a message could not be worked on. It comes again.
#[derive(Debug, thiserror::Error)]
enum DispatchError {
    #[error("the message does not parse")]
    Message,
    #[error("another process has the attempt")]
    Claimed,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Dispatcher {
    /// A dispatcher over this app.
    pub fn new(app: Arc<App>) -> Self {
        Self {
            app,
            gates: Mutex::default(),
            announced_days: Mutex::default(),
        }
    }

    async fn take(&self, received: &Received) -> Result<(), DispatchError> {
        let message: DispatchMessage<'_> =
            serde_json::from_str(&received.body).map_err(|_| DispatchError::Message)?;
        let config = self.app.account_config(&message.account).await?;
        let Some(delivery) = self.current(&message, received.receives).await? else {
            return Ok(());
        };
        let Some(config) = config else {
            return Ok(());
        };
        self.deliver(&config, delivery, &message).await
    }

    /// The delivery that a message is about, if its turn is still to be worked on.
    async fn current(
        &self,
        message: &DispatchMessage<'_>,
        receives: u32,
    ) -> Result<Option<Delivery>, DispatchError> {
        let fresh = || Delivery {
            id: message.delivery.clone().into_owned(),
            account: message.account.clone().into_owned(),
            kind: message.kind,
            event_type: message.event_type.clone().into_owned(),
            event_id: message.event_id.clone().into_owned(),
            about: message.about.clone(),
            status: Status::Queued,
            reason: None,
            attempts: Vec::new(),
            failures: 0,
            turn: 0,
            next_at: None,
            claimed_until: None,
            slot_at: None,
            replay: None,
            version: 0,
        };
        // Nothing has happened to a delivery whose first order is received for the first time.
        if message.turn == 0 && receives == 1 && !message.repeat {
            return Ok(Some(fresh()));
        }
        let Some(key) = keyspace::delivery(&message.account, &message.delivery) else {
            return Err(DispatchError::Message);
        };
        let Some(row) = self.app.table.get(&key).await? else {
            return Ok((message.turn == 0).then(fresh));
        };
        let mut delivery = Delivery::from_row(&row)?;
        if delivery.turn != message.turn
            || matches!(
                delivery.status,
                Status::Delivered | Status::Failed | Status::Held
            )
        {
            return Ok(None);
        }
        let now = self.app.clock.now();
        if let Some(at) = delivery.slot_at
            && at > schedule::later(now, MAX_SLOT_WAIT)
        {
            // Its slot is further away than a queue can delay: another hop, of the same turn.
            let order = order_with(&delivery, message.event).into_message(delay_until(at, now))?;
            self.app.queue.send(vec![order]).await?;
            return Ok(None);
        }
        if delivery.claimed_until.is_some_and(|until| until > now) {
            return Err(DispatchError::Claimed);
        }
        delivery.claimed_until = now
            .checked_add(SignedDuration::from_secs(30) + CLAIM_MARGIN)
            .ok();
        match self.app.table.commit(unit(delivery.put()?)).await {
            Ok(()) => delivery.version += 1,
            Err(StoreError::Condition { .. }) => return Err(DispatchError::Claimed),
            Err(error) => return Err(error.into()),
        }
        Ok(Some(delivery))
    }

    async fn deliver(
        &self,
        config: &AccountConfig,
        mut delivery: Delivery,
        message: &DispatchMessage<'_>,
    ) -> Result<(), DispatchError> {
        let app = &*self.app;
        delivery.claimed_until = None;
        let endpoint = match config.endpoint(delivery.kind) {
            None => return self.hold(delivery, "the callback has no URL").await,
            Some(endpoint) if !endpoint.enabled => {
                return self.hold(delivery, "the callback is switched off").await;
            }
            Some(endpoint) if endpoint.state.disabled_at.is_some() => {
                return self
                    .hold(delivery, "the callback is disabled after failing")
                    .await;
            }
            Some(endpoint) if endpoint.state.paused_at.is_some() => {
                return self.hold(delivery, "the callback is paused").await;
            }
            Some(endpoint) => endpoint,
        };
        let gate = self.gate(endpoint);
        if let Some(per_second) = endpoint.rate_per_second {
            let now = app.clock.now();
            let wait = match delivery.slot_at.take() {
                Some(at) if now <= schedule::later(at, SLOT_TOLERANCE) => {
                    Duration::try_from(at.duration_since(now)).unwrap_or(Duration::ZERO)
                }
                _ => gate.slot(per_second, now),
            };
            if wait > MAX_SLOT_WAIT {
                let at = schedule::later(now, wait);
                delivery.slot_at = Some(at);
                return self
                    .postpone(delivery, at, "the callback is at its rate limit", message)
                    .await;
            }
            if !wait.is_zero() {
                tokio::time::sleep(wait).await;
            }
        }
        delivery.slot_at = None;
        let _permit = gate.permit().await;
        let now = app.clock.now();
        let probe = match gate.breaker(now) {
            Breaker::Closed => false,
            Breaker::Probe => true,
            Breaker::Open(until) => {
                let at = schedule::later(
                    until,
                    schedule::spread(Duration::from_secs(2), &*app.random),
                );
                let reason = "the endpoint keeps failing, so it is tried less often";
                return self.postpone(delivery, at, reason, message).await;
            }
        };
        let loaded;
        let stored = if let Some(raw) = message.event {
            raw.get()
        } else {
            match self.load_event(&delivery).await {
                Ok(Some(event)) => {
                    loaded = event;
                    loaded.as_str()
                }
                other => {
                    if probe {
                        gate.abandoned();
                    }
                    other?;
                    delivery.status = Status::Failed;
                    delivery.reason = Some("the event has been erased".to_owned());
                    return self.store(&delivery, Vec::new()).await;
                }
            }
        };
        let body = render(endpoint, config.masking.callbacks, stored, &delivery.id);
        let Some(body) = body else {
            if probe {
                gate.abandoned();
            }
            return Err(DispatchError::Message);
        };
        let tried = app.request(endpoint, &delivery.id, body).await;
        self.settle(config, endpoint, &gate, delivery, tried, message)
            .await
    }

    /// Records an attempt, and what follows from it.
    async fn settle(
        &self,
        config: &AccountConfig,
        endpoint: &Endpoint,
        gate: &Gate,
        mut delivery: Delivery,
        tried: Tried,
        message: &DispatchMessage<'_>,
    ) -> Result<(), DispatchError> {
        let app = &*self.app;
        let now = app.clock.now();
        let trouble = is_endpoint_trouble(&tried);
        delivery.record(tried.attempt);
        delivery.reason = None;
        delivery.next_at = None;
        if tried.outcome.is_success() {
            gate.answered();
            delivery.status = Status::Delivered;
            self.store(&delivery, Vec::new()).await?;
            if endpoint.state.failing_since.is_some() {
                app.endpoint_recovered(config, endpoint.kind).await?;
            }
            return Ok(());
        }
        if trouble {
            gate.troubled(tried.retry_after, now);
        } else {
            gate.answered();
        }
        delivery.failures += 1;
        let gone = matches!(tried.outcome, Outcome::Gone);
        let failures = usize::try_from(delivery.failures).unwrap_or(usize::MAX);
        match schedule::next(failures, tried.retry_after, now, &*app.random) {
            // Kept for when the endpoint is enabled again.
            _ if gone => {
                delivery.status = Status::Held;
                delivery.reason = Some("the endpoint answered 410 Gone".to_owned());
                self.store(&delivery, Vec::new()).await?;
            }
            Some(at) => {
                self.schedule(delivery, Status::Retrying, at, message)
                    .await?;
            }
            None => {
                delivery.status = Status::Failed;
                delivery.reason = Some("the last attempt of the schedule failed".to_owned());
                self.store(&delivery, Vec::new()).await?;
            }
        }
        app.endpoint_failed(config, endpoint, gone).await?;
        Ok(())
    }

    async fn hold(&self, mut delivery: Delivery, reason: &str) -> Result<(), DispatchError> {
        delivery.status = Status::Held;
        delivery.reason = Some(reason.to_owned());
        delivery.next_at = None;
        self.store(&delivery, Vec::new()).await
    }

    async fn postpone(
        &self,
        mut delivery: Delivery,
        at: Timestamp,
        reason: &str,
        message: &DispatchMessage<'_>,
    ) -> Result<(), DispatchError> {
        delivery.reason = Some(reason.to_owned());
        self.schedule(delivery, Status::Waiting, at, message).await
    }

    /// Stores that the delivery goes on at `at`, and sees to it that it does: by a delayed message
    /// where the queue can hold it that long, else by its due time alone.
    async fn schedule(
        &self,
        mut delivery: Delivery,
        status: Status,
        at: Timestamp,
        message: &DispatchMessage<'_>,
    ) -> Result<(), DispatchError> {
        delivery.status = status;
        delivery.turn += 1;
        delivery.next_at = Some(at);
        let now = self.app.clock.now();
        let wait = Duration::try_from(at.duration_since(now)).unwrap_or(Duration::ZERO);
        let sends = if wait <= MAX_DELAY || delivery.slot_at.is_some() {
            vec![order_with(&delivery, message.event).into_message(delay_until(at, now))?]
        } else {
            Vec::new()
        };
        self.store(&delivery, sends).await
    }

    async fn store(
        &self,
        delivery: &Delivery,
        sends: Vec<ringfence_ports::Message>,
    ) -> Result<(), DispatchError> {
        if delivery.version == 0 {
            self.announce_day(delivery).await?;
        }
        let unit = Unit {
            ops: vec![Op::Put(delivery.put()?)],
            sends,
        };
        match self.app.table.commit(unit).await {
            Ok(()) => Ok(()),
            // A second copy of the message was faster, and has recorded its own attempt.
            Err(StoreError::Condition { .. }) => {
                tracing::info!(
                    delivery = delivery.id,
                    "an attempt was recorded by another copy of its message"
                );
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Notes that the account has deliveries on this day, once per process and day.
    async fn announce_day(&self, delivery: &Delivery) -> Result<(), DispatchError> {
        let Some(at) = crate::id::time_of(crate::id::Kind::Delivery, &delivery.id) else {
            return Err(DispatchError::Message);
        };
        let key = keyspace::active_day(&delivery.account, &keyspace::day(at));
        let name = format!("{}/{}", key.pk, key.sk);
        if lock(&self.announced_days).contains(&name) {
            return Ok(());
        }
        self.app
            .table
            .commit(unit(Put::new(key, "{}", When::Always)))
            .await?;
        let mut days = lock(&self.announced_days);
        if days.len() >= DAYS_REMEMBERED {
            days.clear();
        }
        days.insert(name);
        Ok(())
    }

    async fn load_event(&self, delivery: &Delivery) -> Result<Option<String>, StoreError> {
        self.app
            .stored_event(&delivery.account, &delivery.about, &delivery.event_id)
            .await
    }

    fn gate(&self, endpoint: &Endpoint) -> Arc<Gate> {
        let name = group(&endpoint.account, endpoint.kind);
        let mut gates = lock(&self.gates);
        match gates.get(&name) {
            Some(gate) if gate.fits(endpoint) => gate.clone(),
            known => {
                let gate = Arc::new(
                    known.map_or_else(|| Gate::new(endpoint), |gate| gate.refitted(endpoint)),
                );
                gates.insert(name, gate.clone());
                gate
            }
        }
    }
}

/// The body of an event for an endpoint. `None`: the stored event does not parse.
pub(crate) fn render(
    endpoint: &Endpoint,
    mask: bool,
    stored: &str,
    webhook_id: &str,
) -> Option<Body> {
    if endpoint.kind == EndpointKind::Operational {
        return Some(Body {
            content_type: "application/json",
            bytes: Bytes::copy_from_slice(stored.as_bytes()),
        });
    }
    body::render_stored(endpoint.format, stored, mask, webhook_id).ok()
}

impl App {
    /// The stored JSON of an event, if it is there.
    pub(crate) async fn stored_event(
        &self,
        account: &str,
        about: &super::message::About,
        event_id: &str,
    ) -> Result<Option<String>, StoreError> {
        let Some(row) = self.table.get(&about.event_key(account, event_id)).await? else {
            return Ok(None);
        };
        let stored: StoredEvent<'_> = serde_json::from_str(&row.doc)
            .map_err(|_| StoreError::Unavailable("a stored event does not parse".to_owned()))?;
        Ok(Some(stored.event.get().to_owned()))
    }

    /// Signs and sends one request, now, whatever the gate of the endpoint says.
    pub(crate) async fn request(&self, endpoint: &Endpoint, webhook_id: &str, body: Body) -> Tried {
        let at = self.clock.now();
        // Vetted again at each attempt: the rules may have changed since the URL was saved.
        let target = match Target::parse(&endpoint.url, self.sender.policy()) {
            Ok(target) => target,
            Err(error) => {
                return Tried {
                    outcome: Outcome::ForbiddenAddress,
                    retry_after: None,
                    attempt: Attempt {
                        at,
                        latency_ms: 0,
                        ok: false,
                        explanation: error.to_string(),
                        status: None,
                        response: String::new(),
                    },
                };
            }
        };
        let sent = self
            .sender
            .send(Outgoing {
                target: &target,
                id: webhook_id,
                timestamp: at.as_second(),
                keys: &endpoint.signing_keys,
                headers: &endpoint.headers,
                content_type: HeaderValue::from_static(body.content_type),
                body: body.bytes,
                timeouts: Timeouts::within(endpoint.timeout),
            })
            .await;
        let ok = sent.outcome.is_success();
        let attempt = Attempt {
            at,
            latency_ms: u64::try_from(sent.latency.as_millis()).unwrap_or(u64::MAX),
            ok,
            explanation: sent.outcome.explain().into_owned(),
            status: sent.response.as_ref().map(|response| response.status),
            response: match &sent.response {
                Some(response) if !ok => response.excerpt(),
                _ => String::new(),
            },
        };
        let retry_after = sent.response.and_then(|response| response.retry_after);
        Tried {
            outcome: sent.outcome,
            retry_after,
            attempt,
        }
    }
}

/// Whether a failure says something about the endpoint as a whole rather than about this one event.
fn is_endpoint_trouble(tried: &Tried) -> bool {
    match tried.attempt.status {
        None => true,
        Some(status) => status == 429 || status >= 500,
    }
}

/// The order to try a delivery at its present turn, with the event where it is at hand.
fn order_with<'a>(delivery: &'a Delivery, event: Option<&'a RawValue>) -> DispatchMessage<'a> {
    DispatchMessage {
        event,
        ..super::log::order(delivery)
    }
}

/// How long a queue is to hold an order that is due at `at`.
fn delay_until(at: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(at.duration_since(now))
        .unwrap_or(Duration::ZERO)
        .min(MAX_DELAY)
}

fn unit(put: Put) -> Unit {
    Unit {
        ops: vec![Op::Put(put)],
        sends: Vec::new(),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
