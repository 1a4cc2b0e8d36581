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
use jiff::Timestamp;
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
    settings::{AccountConfig, Endpoint, EndpointKind, EndpointState},
};

/// The longest that a message waits in memory for its slot under the endpoint's rate limit; longer, and
/// it goes back to the queue.
const MAX_SLOT_WAIT: Duration = Duration::from_millis(500);

/// How late a delivery may come for the slot that it was given.
const SLOT_TOLERANCE: Duration = Duration::from_secs(5);

/// How often a write that lost a race is tried again.
const CLAIM_TRIES: usize = 8;

/// How much longer than the request's deadline an attempt is claimed for.
const CLAIM_MARGIN: Duration = Duration::from_secs(10);

/// How many deliveries to an endpoint are worked on before its settings are known here.
const FIRST_PLACES: usize = 20;

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

    /// Twice what the endpoint may be sent at a time, so that the next ones stand ready.
    fn places(&self, group: &str) -> Option<usize> {
        let gates = lock(&self.gates);
        let concurrency = gates.get(group).map(|gate| gate.concurrency());
        Some(concurrency.map_or(FIRST_PLACES, |concurrency| 2 * usize::from(concurrency)))
    }
}

/// Why a message could not be worked on. It comes again.
#[derive(Debug, thiserror::Error)]
enum DispatchError {
    #[error("the message does not parse")]
    Message,
    #[error("the delivery changes all the time")]
    Contended,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a callback takes nothing now.
struct Closed {
    reason: &'static str,
    /// The version of the endpoint's state that says so, if it does.
    state: Option<u64>,
}

/// The endpoint of a callback, if it takes deliveries.
fn open_endpoint(config: &AccountConfig, kind: EndpointKind) -> Result<&Endpoint, Closed> {
    let settings = |reason| Closed {
        reason,
        state: None,
    };
    let endpoint = config
        .endpoint(kind)
        .ok_or_else(|| settings("the callback has no URL"))?;
    let state = |reason| Closed {
        reason,
        state: Some(endpoint.state.version),
    };
    if !endpoint.enabled {
        Err(settings("the callback is switched off"))
    } else if endpoint.state.disabled_at.is_some() {
        Err(state("the callback is disabled after failing"))
    } else if endpoint.state.paused_at.is_some() {
        Err(state("the callback is paused"))
    } else {
        Ok(endpoint)
    }
}

/// A probe under way. However it ends, another may follow.
struct Probe<'a>(Option<&'a Gate>);

impl Drop for Probe<'_> {
    fn drop(&mut self) {
        if let Some(gate) = self.0 {
            gate.abandoned();
        }
    }
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
        let Some(delivery) = self.current(&message, received.receives).await? else {
            return Ok(());
        };
        self.deliver(delivery, &message).await
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
        if delivery.turn != message.turn || delivery.is_settled() {
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
        if let Some(until) = delivery.claimed_until.filter(|until| *until > now) {
            self.look_again(&delivery, message, until).await?;
            return Ok(None);
        }
        delivery.claimed_until = None;
        Ok(Some(delivery))
    }

    /// Another process has the attempt. Should it die, this order goes on as soon as its claim is over.
    async fn look_again(
        &self,
        delivery: &Delivery,
        message: &DispatchMessage<'_>,
        at: Timestamp,
    ) -> Result<(), DispatchError> {
        let wait = delay_until(at, self.app.clock.now());
        let order = DispatchMessage {
            repeat: true,
            ..order_with(delivery, message.event)
        };
        Ok(self.app.queue.send(vec![order.into_message(wait)?]).await?)
    }

    /// Takes the attempt for this process, right before it is made; `None`: the delivery has moved on
    /// while it waited. What has no row yet has no other copy that could look.
    async fn claim(
        &self,
        mut delivery: Delivery,
        endpoint: &Endpoint,
        message: &DispatchMessage<'_>,
    ) -> Result<Option<Delivery>, DispatchError> {
        if delivery.version == 0 {
            return Ok(Some(delivery));
        }
        let turn = delivery.turn;
        for _ in 0..CLAIM_TRIES {
            let now = self.app.clock.now();
            delivery.claimed_until = Some(schedule::later(now, endpoint.timeout + CLAIM_MARGIN));
            match self.app.table.commit(unit(delivery.put()?)).await {
                Ok(()) => {
                    delivery.version += 1;
                    delivery.claimed_until = None;
                    return Ok(Some(delivery));
                }
                Err(StoreError::Condition { .. }) => {}
                Err(error) => return Err(error.into()),
            }
            // A sweep that took its order to be lost has touched it, or it was sent again meanwhile.
            let Some(row) = self.app.table.get(&delivery.key()?).await? else {
                return Ok(None);
            };
            delivery = Delivery::from_row(&row)?;
            delivery.slot_at = None;
            if delivery.turn != turn || delivery.is_settled() {
                return Ok(None);
            }
            if let Some(until) = delivery.claimed_until.filter(|until| *until > now) {
                self.look_again(&delivery, message, until).await?;
                return Ok(None);
            }
        }
        Err(DispatchError::Contended)
    }

    async fn deliver(
        &self,
        mut delivery: Delivery,
        message: &DispatchMessage<'_>,
    ) -> Result<(), DispatchError> {
        let app = &*self.app;
        let Some(config) = app.account_config(&delivery.account).await? else {
            return Ok(());
        };
        let endpoint = match open_endpoint(&config, delivery.kind) {
            Ok(endpoint) => endpoint,
            Err(closed) => return self.hold(delivery, closed).await,
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
        // That may have taken long: what is in force now says whether, where and how it goes out.
        let Some(config) = app.account_config(&delivery.account).await? else {
            return Ok(());
        };
        let endpoint = match open_endpoint(&config, delivery.kind) {
            Ok(endpoint) => endpoint,
            Err(closed) => return self.hold(delivery, closed).await,
        };
        let mut probe = Probe(None);
        match gate.breaker(app.clock.now()) {
            Breaker::Closed => {}
            Breaker::Probe => probe.0 = Some(&gate),
            Breaker::Open(until) => {
                let at = schedule::later(
                    until,
                    schedule::spread(Duration::from_secs(2), &*app.random),
                );
                let reason = "the endpoint keeps failing, so it is tried less often";
                return self.postpone(delivery, at, reason, message).await;
            }
        }
        let Some(mut delivery) = self.claim(delivery, endpoint, message).await? else {
            return Ok(());
        };
        let loaded;
        let stored = if let Some(raw) = message.event {
            raw.get()
        } else if let Some(event) = self.load_event(&delivery).await? {
            loaded = event;
            loaded.as_str()
        } else {
            delivery.status = Status::Failed;
            delivery.reason = Some("the event has been erased".to_owned());
            delivery.next_at = None;
            return self.store(&delivery, Vec::new()).await.map(drop);
        };
        let linked = app.with_link(&delivery.event_type, stored).await?;
        let stored = linked.as_deref().unwrap_or(stored);
        let body = render(endpoint, config.masking.callbacks, stored, &delivery.id)
            .ok_or(DispatchError::Message)?;
        let tried = app.request(endpoint, &delivery.id, body).await;
        probe.0 = None;
        self.settle(&config, endpoint, &gate, delivery, tried, message)
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
        let before = delivery.turn;
        delivery.record(tried.attempt.clone());
        delivery.reason = None;
        delivery.next_at = None;
        if tried.outcome.is_success() {
            gate.succeeded();
            delivery.status = Status::Delivered;
            self.conclude(delivery, before, tried.attempt, Vec::new())
                .await?;
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
        let mut sends = Vec::new();
        match schedule::next(failures, tried.retry_after, now, &*app.random) {
            // Kept for when the endpoint is enabled again.
            _ if gone => {
                delivery.status = Status::Held;
                delivery.reason = Some("the endpoint answered 410 Gone".to_owned());
            }
            Some(at) => sends = self.schedule(&mut delivery, Status::Retrying, at, message)?,
            None => {
                delivery.status = Status::Failed;
                delivery.reason = Some("the last attempt of the schedule failed".to_owned());
            }
        }
        self.conclude(delivery, before, tried.attempt, sends)
            .await?;
        let failing_from = gate.failed(now);
        app.endpoint_failed(config, endpoint, failing_from, gone)
            .await?;
        Ok(())
    }

    /// Stores what came of an attempt at turn `before`. An attempt that was made is on record even when
    /// the delivery changed meanwhile: a sweep touched it, or somebody sent it again.
    async fn conclude(
        &self,
        concluded: Delivery,
        before: u32,
        attempt: Attempt,
        sends: Vec<ringfence_ports::Message>,
    ) -> Result<(), DispatchError> {
        if self.store(&concluded, sends.clone()).await? {
            return Ok(());
        }
        for _ in 0..CLAIM_TRIES {
            let Some(row) = self.app.table.get(&concluded.key()?).await? else {
                return Ok(());
            };
            let found = Delivery::from_row(&row)?;
            let goes_on = found.turn == before && !found.is_settled();
            let mut merged = if goes_on {
                concluded.clone()
            } else {
                found.clone()
            };
            merged.version = found.version;
            merged.attempts = found.attempts;
            merged.record(attempt.clone());
            let sends = if goes_on { sends.clone() } else { Vec::new() };
            if self.store(&merged, sends).await? {
                return Ok(());
            }
        }
        Err(DispatchError::Contended)
    }

    /// Keeps a delivery for later. Whoever opened the callback at the same moment may have released
    /// what was held before this was.
    async fn hold(&self, mut delivery: Delivery, closed: Closed) -> Result<(), DispatchError> {
        delivery.status = Status::Held;
        delivery.reason = Some(closed.reason.to_owned());
        delivery.next_at = None;
        delivery.slot_at = None;
        if !self.store(&delivery, Vec::new()).await? {
            return Ok(());
        }
        delivery.version += 1;
        if let Some(seen) = closed.state
            && self
                .app
                .is_open_again(&delivery.account, delivery.kind, seen)
                .await?
        {
            let (_, unit) = super::log::requeue(delivery, self.app.clock.now(), None)?;
            match self.app.table.commit(unit).await {
                // Released already.
                Ok(()) | Err(StoreError::Condition { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    async fn postpone(
        &self,
        mut delivery: Delivery,
        at: Timestamp,
        reason: &str,
        message: &DispatchMessage<'_>,
    ) -> Result<(), DispatchError> {
        delivery.reason = Some(reason.to_owned());
        let sends = self.schedule(&mut delivery, Status::Waiting, at, message)?;
        self.store(&delivery, sends).await.map(drop)
    }

    /// Makes a delivery go on at `at`: by the delayed message that this answers with where the queue can
    /// hold it that long, else by its due time alone.
    fn schedule(
        &self,
        delivery: &mut Delivery,
        status: Status,
        at: Timestamp,
        message: &DispatchMessage<'_>,
    ) -> Result<Vec<ringfence_ports::Message>, DispatchError> {
        delivery.status = status;
        delivery.turn += 1;
        delivery.next_at = Some(at);
        let now = self.app.clock.now();
        let wait = Duration::try_from(at.duration_since(now)).unwrap_or(Duration::ZERO);
        if wait <= MAX_DELAY || delivery.slot_at.is_some() {
            Ok(vec![
                order_with(delivery, message.event).into_message(delay_until(at, now))?,
            ])
        } else {
            Ok(Vec::new())
        }
    }

    /// Writes a delivery. `false`: it changed since it was read.
    async fn store(
        &self,
        delivery: &Delivery,
        sends: Vec<ringfence_ports::Message>,
    ) -> Result<bool, DispatchError> {
        if delivery.version == 0 {
            self.announce_day(delivery).await?;
        }
        let unit = Unit {
            ops: vec![Op::Put(delivery.put()?)],
            sends,
        };
        match self.app.table.commit(unit).await {
            Ok(()) => Ok(true),
            Err(StoreError::Condition { .. }) => {
                tracing::info!(
                    delivery = delivery.id,
                    "a delivery changed while it was worked on"
                );
                Ok(false)
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
    /// Whether a callback that was paused or disabled at version `seen` of its state no longer is.
    async fn is_open_again(
        &self,
        account: &str,
        kind: EndpointKind,
        seen: u64,
    ) -> Result<bool, StoreError> {
        let row = self
            .table
            .get(&keyspace::endpoint_state(account, kind.as_str()))
            .await?;
        let Some(row) = row.filter(|row| row.version != seen) else {
            return Ok(false);
        };
        self.forget_cached();
        let state: EndpointState = crate::access::parse_doc(&row.doc)?;
        Ok(state.paused_at.is_none() && state.disabled_at.is_none())
    }

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
