//! What Ringfence itself has to say to an account: endpoints fail, are disabled, are well again; a PIN
//! was guessed at too often. Kept as events, and sent to the account's `operational` callback.

use jiff::Timestamp;
use ringfence_ports::{Op, Page, Position, Put, Query, StoreError, Unit, When};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use super::{
    message::{About, DispatchMessage},
    schedule,
};
use crate::{
    App,
    access::{parse_doc, to_doc, to_value},
    event::Subject,
    history::{Action, Actor, Change},
    id,
    ingest::StoredEvent,
    keyspace,
    notification::{DisabledBecause, Notice},
    settings::{AccountConfig, Endpoint, EndpointKind, EndpointState},
};

/// The types of operational events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OperationalType {
    /// Attempts have begun to fail.
    #[serde(rename = "callback.failing")]
    Failing,
    /// An attempt succeeded again.
    #[serde(rename = "callback.recovered")]
    Recovered,
    /// The endpoint is disabled; what arrives is held.
    #[serde(rename = "callback.disabled")]
    Disabled,
    /// Too many wrong PINs: no more are looked at for a while.
    #[serde(rename = "recording.pin_locked")]
    PinLocked,
}

impl OperationalType {
    /// The name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Failing => "callback.failing",
            Self::Recovered => "callback.recovered",
            Self::Disabled => "callback.disabled",
            Self::PinLocked => "recording.pin_locked",
        }
    }
}

/// An operational event, as it is listed and sent.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OperationalEvent {
    /// What happened.
    #[serde(rename = "type")]
    pub event_type: OperationalType,
    /// When.
    pub timestamp: Timestamp,
    /// `evt_…`
    pub id: String,
    /// To whom.
    pub account_id: String,
    /// About what.
    pub data: OperationalData,
}

/// What an operational event tells.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OperationalData {
    /// The callback concerned, if one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callback: Option<EndpointKind>,
    /// Since when every attempt has failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<Timestamp>,
    /// The recording concerned, if one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recording: Option<String>,
    /// When a lock ends by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locked_until: Option<Timestamp>,
    /// In plain words, with what to do.
    pub message: String,
}

/// Why an endpoint is disabled at once.
const GONE: &str = "The endpoint answered 410 Gone.";

impl App {
    /// An attempt at this endpoint failed: notes since when (`failing_from`, where several have), and
    /// disables it when it answered 410 or has failed for [`schedule::DISABLE_AFTER`]. That another URL
    /// failed before says nothing about this one.
    pub(crate) async fn endpoint_failed(
        &self,
        config: &AccountConfig,
        endpoint: &Endpoint,
        failing_from: Option<Timestamp>,
        gone: bool,
    ) -> Result<(), StoreError> {
        let now = self.clock.now();
        let same_url = endpoint.state.failing_url.as_deref() == Some(endpoint.url.as_str());
        let known = endpoint.state.failing_since.filter(|_| same_url);
        if known.is_none() && failing_from.is_none() && !gone {
            return Ok(());
        }
        let too_long =
            known.is_some_and(|since| now.duration_since(since) >= schedule::DISABLE_AFTER);
        if known.is_some() && !gone && !too_long {
            return Ok(());
        }
        if gone || too_long {
            // The attempt may have taken long: what an URL that is not in force any more answered
            // says nothing about the one that is.
            self.configs.forget(&config.account.id);
            let now = self.account_config(&config.account.id).await?;
            let in_force = now
                .as_ref()
                .and_then(|config| config.endpoint(endpoint.kind));
            if in_force.is_none_or(|in_force| in_force.url != endpoint.url) {
                return Ok(());
            }
        }
        self.change_state(config, endpoint.kind, |state| {
            if state.disabled_at.is_some() {
                return None;
            }
            if state.failing_url.as_deref() != Some(endpoint.url.as_str()) {
                state.failing_since = None;
                state.failing_url = Some(endpoint.url.clone());
            }
            let since = *state.failing_since.get_or_insert(failing_from.unwrap_or(now));
            let reason = if gone {
                GONE
            } else if now.duration_since(since) >= schedule::DISABLE_AFTER {
                "Every attempt has failed for five days."
            } else {
                return (known != Some(since)).then(|| {
                    (OperationalType::Failing, "Attempts fail; they are repeated for some days.".to_owned())
                });
            };
            state.disabled_at = Some(now);
            state.disabled_reason = Some(reason.to_owned());
            Some((
                OperationalType::Disabled,
                format!("{reason} What arrives is held. Mend the endpoint and resume the callback: held deliveries are then sent."),
            ))
        })
        .await
    }

    /// An attempt at a failing endpoint succeeded.
    pub(crate) async fn endpoint_recovered(
        &self,
        config: &AccountConfig,
        kind: EndpointKind,
    ) -> Result<(), StoreError> {
        self.change_state(config, kind, |state| {
            state.failing_since.take()?;
            state.failing_url = None;
            Some((
                OperationalType::Recovered,
                "An attempt succeeded again.".to_owned(),
            ))
        })
        .await
    }

    /// Reads the endpoint's state, lets `change` say what becomes of it and what is to be told (`None`:
    /// nothing changes), and writes both. A race with another process is tried again.
    async fn change_state(
        &self,
        config: &AccountConfig,
        kind: EndpointKind,
        change: impl Fn(&mut EndpointState) -> Option<(OperationalType, String)>,
    ) -> Result<(), StoreError> {
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
            let Some((event_type, message)) = change(&mut after) else {
                // Somebody else was faster, and this process has not seen it yet.
                // One account's failures leave what is known of the others alone.
                self.configs.forget(account);
                return Ok(());
            };
            let data = OperationalData {
                callback: Some(kind),
                failing_since: after.failing_since,
                recording: None,
                locked_until: None,
                message,
            };
            let mut unit = self.operational_event(config, event_type, data)?;
            unit.ops
                .insert(0, Op::Put(Put::new(key.clone(), to_doc(&after)?, when)));
            let result = if event_type == OperationalType::Disabled {
                unit.extend(self.disabled_notice(account, kind, &after).await);
                let change = Change {
                    item: format!("callbacks/{}", kind.as_str()),
                    action: Action::Disable,
                    before: to_value(&before)?,
                    after: to_value(&after)?,
                };
                self.commit_change(account, &Actor::system(), change, unit)
                    .await
                    .map(drop)
            } else {
                self.table.commit(unit).await
            };
            match result {
                Err(StoreError::Condition { op: 0 }) => {}
                Err(error) => return Err(error),
                Ok(()) => {
                    tracing::warn!(
                        account,
                        callback = kind.as_str(),
                        event = event_type.as_str(),
                        "operational event"
                    );
                    self.configs.forget(account);
                    return Ok(());
                }
            }
        }
        Err(StoreError::Busy)
    }

    /// The mail to those who administer an account of which an endpoint is disabled. It is disabled
    /// whether or not that can be ordered.
    async fn disabled_notice(
        &self,
        account: &str,
        callback: EndpointKind,
        state: &EndpointState,
    ) -> Unit {
        let gone = state.disabled_reason.as_deref() == Some(GONE);
        let notice = Notice::EndpointDisabled {
            account: account.to_owned(),
            callback,
            because: if gone {
                DisabledBecause::Gone
            } else {
                DisabledBecause::Failing
            },
            at: state.disabled_at.unwrap_or_else(|| self.clock.now()),
        };
        self.notify(notice).await.unwrap_or_else(|error| {
            tracing::error!(account, %error, "an endpoint is disabled without a mail");
            Unit::default()
        })
    }

    /// The unit that tells an account something: the event's row, and its delivery.
    pub(crate) fn operational_event(
        &self,
        config: &AccountConfig,
        event_type: OperationalType,
        data: OperationalData,
    ) -> Result<Unit, StoreError> {
        let now = self.clock.now();
        let account = &config.account.id;
        let event = OperationalEvent {
            event_type,
            timestamp: now,
            id: id::new(id::Kind::Event, now, &*self.random),
            account_id: account.clone(),
            data,
        };
        let about_itself = event.data.callback == Some(EndpointKind::Operational);
        let raw: Box<RawValue> =
            to_raw_value(&event).map_err(|_| StoreError::Invalid("an event does not serialize"))?;
        // An operational callback that fails is not reported to itself.
        let delivery = config
            .endpoint(EndpointKind::Operational)
            .filter(|endpoint| endpoint.enabled && !about_itself)
            .map(|_| {
                let subject = Subject::Task(&event.id);
                super::delivery_id(account, EndpointKind::Operational, subject, &event.id, now)
            });
        let stored = StoredEvent {
            accepted_at: now,
            delivery: delivery.clone(),
            event: &raw,
        };
        let mut unit = Unit::default();
        let key = keyspace::operational_event(account, &event.id);
        unit.ops
            .push(Op::Put(Put::new(key, to_doc(&stored)?, When::Absent)));
        if let Some(delivery) = &delivery {
            let message = DispatchMessage {
                about: About::Ringfence,
                ..DispatchMessage::first(
                    delivery,
                    account,
                    EndpointKind::Operational,
                    event_type.as_str(),
                    Subject::Task(&event.id),
                    &event.id,
                    &raw,
                )
            };
            unit.sends
                .push(message.into_message(std::time::Duration::ZERO)?);
        }
        Ok(unit)
    }

    /// A page of an account's operational events, newest first.
    pub async fn operational_events(
        &self,
        account: &str,
        limit: usize,
        after: Option<Position>,
    ) -> Result<(Vec<OperationalEvent>, Option<Position>), StoreError> {
        let Page { rows, next } = self
            .table
            .query(Query {
                descending: true,
                limit,
                after,
                ..Query::partition(keyspace::operational_event(account, "").pk)
            })
            .await?;
        let events = rows
            .iter()
            .map(|row| {
                let stored: StoredEvent<'_> = serde_json::from_str(&row.doc).map_err(|_| {
                    StoreError::Unavailable("a stored event does not parse".to_owned())
                })?;
                parse_doc(stored.event.get())
            })
            .collect::<Result<_, _>>()?;
        Ok((events, next))
    }
}
