//! The delivery log: what was sent, when, and what came back; and doing it again.

use std::time::Duration;

use jiff::Timestamp;
use ringfence_pii::Sweep;
use ringfence_ports::{Key, Op, Put, Row, StoreError, Unit, When};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json, value::RawValue};

use super::{
    delivery::{Delivery, Status},
    dispatch::{Tried, render},
    message::{About, DispatchMessage},
};
use crate::{
    App,
    access::{parse_doc, to_doc, to_value},
    calls::CallError,
    event::{Event, EventType},
    history::{Action, Actor, Change},
    id,
    ingest::StoredEvent,
    keyspace,
    merge::{MAX_LOOKED_AT, Merge},
    settings::{AccountConfig, EndpointKind, EndpointState},
};

/// Which deliveries a search is for. All conditions hold together.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// In this status.
    pub status: Option<Status>,
    /// Of this callback.
    pub kind: Option<EndpointKind>,
    /// Accepted at this instant or later.
    pub since: Option<Timestamp>,
    /// Accepted before this instant.
    pub until: Option<Timestamp>,
    /// About this call.
    pub call: Option<String>,
}

/// A page of the log, newest first.
#[derive(Debug)]
pub struct LogPage {
    /// The deliveries.
    pub deliveries: Vec<Delivery>,
    /// The id of the last delivery looked at: where to go on. A page may hold fewer than asked for
    /// although there are more.
    pub next: Option<String>,
}

/// A delivery with everything that was sent.
#[derive(Debug, Serialize)]
pub struct DeliveryDetail {
    /// The delivery.
    #[serde(flatten)]
    pub delivery: Delivery,
    /// The body as it is sent now, masked as the rules now say; `None`: the event was erased.
    pub body: Option<String>,
    /// Its media type.
    pub content_type: Option<&'static str>,
}

/// Why something could not be done with a delivery or callback.
#[derive(Debug, thiserror::Error)]
pub enum CallbackError {
    /// There is no such delivery.
    #[error("there is no such delivery")]
    NoDelivery,
    /// There is no such job.
    #[error("there is no such job")]
    NoJob,
    /// The callback has no URL.
    #[error("the callback has no URL yet")]
    NoEndpoint,
    /// The event behind a delivery was erased.
    #[error("the event of this delivery has been erased")]
    Erased,
    /// Somebody else changed it at the same moment.
    #[error("it was changed at the same moment")]
    Conflict,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl App {
    /// A page of deliveries that match `filter`, newest first, going on before the id `before`.
    ///
    /// Deliveries in the dispatch queue that nothing has happened to yet show only in a search by
    /// call.
    pub async fn deliveries(
        &self,
        config: &AccountConfig,
        filter: &Filter,
        limit: usize,
        before: Option<&str>,
    ) -> Result<LogPage, CallError> {
        let mut page = self
            .matching_deliveries(&config.account.id, filter, limit, before)
            .await?;
        if masked_in_log(config) {
            self.hide_numbers_in(&mut page.deliveries).await?;
        }
        Ok(page)
    }

    /// Which digits are numbers only the events tell: one read for the whole page.
    async fn hide_numbers_in(&self, deliveries: &mut [Delivery]) -> Result<(), StoreError> {
        for deliveries in deliveries.chunks_mut(100) {
            let keys: Vec<Key> = deliveries
                .iter()
                .map(|delivery| {
                    delivery
                        .about
                        .event_key(&delivery.account, &delivery.event_id)
                })
                .collect();
            let rows = self.table.get_many(&keys).await?;
            for (delivery, row) in deliveries.iter_mut().zip(rows) {
                let event = row
                    .as_ref()
                    .and_then(|row| stored_event(row).ok())
                    .and_then(|stored| Event::from_json(stored.event.get()).ok());
                hide_numbers(delivery, event.as_ref());
            }
        }
        Ok(())
    }

    /// The same with the responses of receivers as they are stored.
    async fn matching_deliveries(
        &self,
        account: &str,
        filter: &Filter,
        limit: usize,
        before: Option<&str>,
    ) -> Result<LogPage, CallError> {
        if let Some(call) = &filter.call {
            return self
                .deliveries_of_call(account, call, filter, limit, before)
                .await;
        }
        Ok(self
            .deliveries_of_time(account, filter, limit, before)
            .await?)
    }

    /// The same whatever call they are about.
    pub(crate) async fn deliveries_of_time(
        &self,
        account: &str,
        filter: &Filter,
        limit: usize,
        before: Option<&str>,
    ) -> Result<LogPage, StoreError> {
        let page = Merge::new(
            id::Kind::Delivery,
            filter.since,
            filter.until,
            before,
            limit,
        );
        let take = |row: &Row| {
            let delivery = Delivery::from_row(row)?;
            Ok(Some(delivery).filter(|delivery| matches(filter, delivery)))
        };
        let table = &*self.table;
        let page = match filter.status {
            Some(status) if !matches!(status, Status::Delivered) => {
                let shard = |shard| keyspace::open_partition(account, status.as_str(), shard);
                page.index(table, 0, shard, take).await?
            }
            _ => {
                let shard = |day: &str, shard| keyspace::delivery_partition(account, day, shard);
                let days = keyspace::active_days(account);
                page.days(table, days, shard, take).await?
            }
        };
        Ok(LogPage {
            deliveries: page.items,
            next: page.next,
        })
    }

    /// All deliveries of a call stand on the events of its partition.
    async fn deliveries_of_call(
        &self,
        account: &str,
        call: &str,
        filter: &Filter,
        limit: usize,
        before: Option<&str>,
    ) -> Result<LogPage, CallError> {
        let mut found = Vec::new();
        self.events_of_call(account, call, |row| {
            let stored = stored_event(row)?;
            if let Some(id) = stored.delivery
                && before.is_none_or(|before| id.as_str() < before)
            {
                let Told { id: event, kind } = parse_doc(stored.event.get())?;
                found.push((id, event, kind));
            }
            Ok(())
        })
        .await?;
        found.sort_by(|a, b| b.0.cmp(&a.0));
        let mut page = LogPage {
            deliveries: Vec::new(),
            next: None,
        };
        let mut looked_at = 0;
        for found in found.chunks(100) {
            let keys: Vec<Key> = found
                .iter()
                .filter_map(|(id, _, _)| keyspace::delivery(account, id))
                .collect();
            let rows = self.table.get_many(&keys).await?;
            for ((id, event, kind), row) in found.iter().zip(rows) {
                if page.deliveries.len() >= limit || looked_at >= MAX_LOOKED_AT {
                    return Ok(page);
                }
                looked_at += 1;
                page.next = Some(id.clone());
                let delivery = match row {
                    Some(row) => Delivery::from_row(&row)?,
                    None => queued(account, id, call, event, *kind),
                };
                if matches(filter, &delivery) {
                    page.deliveries.push(delivery);
                }
            }
        }
        page.next = None;
        Ok(page)
    }

    /// One delivery with its body, as it may be shown: masked when the console or the callbacks are.
    pub async fn delivery(
        &self,
        config: &AccountConfig,
        delivery: &str,
    ) -> Result<DeliveryDetail, CallbackError> {
        let mut delivery = self.stored_delivery(&config.account.id, delivery).await?;
        let stored = self
            .stored_event(&delivery.account, &delivery.about, &delivery.event_id)
            .await?;
        let mask = masked_in_log(config);
        let body = match (&stored, config.endpoint(delivery.kind)) {
            (Some(stored), Some(endpoint)) => render(endpoint, mask, stored, &delivery.id),
            _ => None,
        };
        if mask {
            let event = stored
                .as_deref()
                .and_then(|stored| Event::from_json(stored).ok());
            hide_numbers(&mut delivery, event.as_ref());
        }
        Ok(DeliveryDetail {
            content_type: body.as_ref().map(|body| body.content_type),
            body: body.map(|body| String::from_utf8_lossy(&body.bytes).into_owned()),
            delivery,
        })
    }

    pub(crate) async fn stored_delivery(
        &self,
        account: &str,
        delivery: &str,
    ) -> Result<Delivery, CallbackError> {
        let key = keyspace::delivery(account, delivery).ok_or(CallbackError::NoDelivery)?;
        let row = self
            .table
            .get(&key)
            .await?
            .ok_or(CallbackError::NoDelivery)?;
        Ok(Delivery::from_row(&row)?)
    }

    /// Queues one delivery again, whatever became of it, with a fresh retry schedule and the same
    /// `webhook-id`.
    pub async fn resend(
        &self,
        config: &AccountConfig,
        delivery: &str,
        actor: &Actor,
    ) -> Result<Delivery, CallbackError> {
        let delivery = self.stored_delivery(&config.account.id, delivery).await?;
        let before = delivery.status;
        if config.endpoint(delivery.kind).is_none() {
            return Err(CallbackError::NoEndpoint);
        }
        if self
            .stored_event(&delivery.account, &delivery.about, &delivery.event_id)
            .await?
            .is_none()
        {
            return Err(CallbackError::Erased);
        }
        let (delivery, unit) = requeue(delivery, self.clock.now(), None)?;
        let kind = delivery.kind.as_str();
        let change = Change {
            item: format!("callbacks/{kind}/deliveries/{}", delivery.id),
            action: Action::Resend,
            before: json!({ "status": before }),
            after: json!({ "status": delivery.status }),
        };
        let committed = self
            .commit_change(&config.account.id, actor, change, unit)
            .await;
        match committed {
            Ok(_) => Ok(delivery),
            Err(StoreError::Condition { .. }) => Err(CallbackError::Conflict),
            Err(error) => Err(error.into()),
        }
    }

    /// Sends a test event to a callback at once, past pause and breaker, and answers with what came
    /// back. Nothing of it is kept but that it was asked for, which is on record before it goes out.
    pub async fn test_callback(
        &self,
        config: &AccountConfig,
        kind: EndpointKind,
        actor: &Actor,
    ) -> Result<(String, Tried), CallbackError> {
        let endpoint = config.endpoint(kind).ok_or(CallbackError::NoEndpoint)?;
        let now = self.clock.now();
        let event = super::test_event::test_event(&config.account.id, kind, now, &*self.random)?;
        let id = id::new(id::Kind::Delivery, now, &*self.random);
        let body = render(endpoint, config.masking.callbacks, &event, &id)
            .ok_or(StoreError::Invalid("a test event does not render"))?;
        let change = Change {
            item: format!("callbacks/{}/test", kind.as_str()),
            action: Action::Test,
            before: Value::Null,
            after: json!({ "webhook_id": id }),
        };
        self.commit_change(&config.account.id, actor, change, Unit::default())
            .await?;
        let tried = self.request(endpoint, &id, body).await;
        Ok((id, tried))
    }

    /// Pauses a callback: what arrives meanwhile is held.
    pub async fn pause(
        &self,
        config: &AccountConfig,
        kind: EndpointKind,
        actor: &Actor,
    ) -> Result<EndpointState, CallbackError> {
        let now = self.clock.now();
        let change = |state: &mut EndpointState| state.paused_at = state.paused_at.or(Some(now));
        self.set_state(config, kind, actor, Action::Pause, change, Unit::default())
            .await
    }

    /// Resumes a paused or disabled callback, and starts a replay of all that was held.
    pub async fn resume(
        &self,
        config: &AccountConfig,
        kind: EndpointKind,
        actor: &Actor,
    ) -> Result<(EndpointState, super::replay::Job), CallbackError> {
        let (job, unit) = self.replay_of_held(&config.account.id, kind)?;
        let change = |state: &mut EndpointState| {
            *state = EndpointState {
                version: state.version,
                ..EndpointState::default()
            };
        };
        let state = self
            .set_state(config, kind, actor, Action::Resume, change, unit)
            .await?;
        Ok((state, job))
    }

    async fn set_state(
        &self,
        config: &AccountConfig,
        kind: EndpointKind,
        actor: &Actor,
        action: Action,
        change: impl Fn(&mut EndpointState),
        with: Unit,
    ) -> Result<EndpointState, CallbackError> {
        if config.endpoint(kind).is_none() {
            return Err(CallbackError::NoEndpoint);
        }
        let account = &config.account.id;
        let key = keyspace::endpoint_state(account, kind.as_str());
        for _ in 0..8 {
            let row = self.table.get(&key).await?;
            let before = match &row {
                Some(row) => parse_doc::<EndpointState>(&row.doc)?,
                None => EndpointState::default(),
            };
            let when = row
                .as_ref()
                .map_or(When::Absent, |row| When::Version(row.version));
            let mut after = before.clone();
            change(&mut after);
            let mut unit = with.clone();
            unit.ops
                .insert(0, Op::Put(Put::new(key.clone(), to_doc(&after)?, when)));
            let change = Change {
                item: format!("callbacks/{}", kind.as_str()),
                action,
                before: to_value(&before)?,
                after: to_value(&after)?,
            };
            match self.commit_change(account, actor, change, unit).await {
                Ok(_) => return Ok(after),
                Err(StoreError::Condition { op: 0 }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(CallbackError::Conflict)
    }
}

/// The delivery with a new turn, and the write that queues it.
pub(crate) fn requeue(
    mut delivery: Delivery,
    now: Timestamp,
    job: Option<&str>,
) -> Result<(Delivery, Unit), StoreError> {
    delivery.status = Status::Queued;
    delivery.reason = None;
    delivery.failures = 0;
    delivery.turn += 1;
    delivery.next_at = Some(now);
    delivery.claimed_until = None;
    delivery.slot_at = None;
    delivery.replay = job.map(str::to_owned);
    let message = order(&delivery).into_message(Duration::ZERO)?;
    let unit = Unit {
        ops: vec![Op::Put(delivery.put()?)],
        sends: vec![message],
    };
    Ok((delivery, unit))
}

/// The order to try a stored delivery at its present turn.
pub(crate) fn order(delivery: &Delivery) -> DispatchMessage<'_> {
    DispatchMessage {
        delivery: (&delivery.id).into(),
        account: (&delivery.account).into(),
        kind: delivery.kind,
        event_type: (&delivery.event_type).into(),
        about: delivery.about.clone(),
        event_id: (&delivery.event_id).into(),
        turn: delivery.turn,
        repeat: false,
        event: None::<&RawValue>,
    }
}

/// Whether the log hides numbers: it shows what was sent, and it is shown in the console.
pub fn masked_in_log(config: &AccountConfig) -> bool {
    config.masking.console || config.masking.callbacks
}

/// Ids may hold numbers, and a receiver may quote what it was sent.
fn hide_numbers(delivery: &mut Delivery, event: Option<&Event>) {
    let sweep = event.map_or_else(|| Sweep::new([]), Event::sweep);
    if let Some(event) = event {
        let masked = event.masked();
        delivery.about = About::from(masked.subject());
        delivery.event_id = masked.id;
    } else if let About::Call(id) | About::Task(id) = &mut delivery.about {
        // The event is gone, and with it what would tell a number from an id.
        *id = sweep.text(id).into_owned();
        delivery.event_id = sweep.text(&delivery.event_id).into_owned();
    }
    for attempt in &mut delivery.attempts {
        attempt.response = sweep.text(&attempt.response).into_owned();
    }
}

fn matches(filter: &Filter, delivery: &Delivery) -> bool {
    filter.status.is_none_or(|status| status == delivery.status)
        && filter.kind.is_none_or(|kind| kind == delivery.kind)
        && filter
            .since
            .is_none_or(|since| delivery.id >= id::floor(id::Kind::Delivery, since))
        && filter
            .until
            .is_none_or(|until| delivery.id < id::floor(id::Kind::Delivery, until))
}

fn queued(account: &str, id: &str, call: &str, event: &str, kind: EventType) -> Delivery {
    Delivery {
        id: id.to_owned(),
        account: account.to_owned(),
        kind: kind.kind().into(),
        event_type: kind.as_str().to_owned(),
        event_id: event.to_owned(),
        about: About::Call(call.to_owned()),
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
    }
}

/// What of a stored event tells of its delivery.
#[derive(Deserialize)]
struct Told {
    id: String,
    #[serde(rename = "type")]
    kind: EventType,
}

pub(crate) fn stored_event(row: &Row) -> Result<StoredEvent<'_>, StoreError> {
    serde_json::from_str(&row.doc)
        .map_err(|_| StoreError::Unavailable("a stored event does not parse".to_owned()))
}
