//! Loads what ingest and dispatch work from.

use std::{sync::Arc, time::Duration};

use ringfence_ports::{Key, KeysError, Row, StoreError};
use ringfence_webhook::ExtraHeaders;
use serde::de::DeserializeOwned;

use super::{
    Account, AccountConfig, Endpoint, EndpointKind, EndpointState,
    callbacks::{self, Callbacks},
    document::Document,
    resolve::Origin,
    secret::Secrets,
    security::{self, Security},
    sources::Sources,
};
use crate::{App, access::parse_doc, keyspace};

/// The rows beside an account's own that its configuration is made of, in the order of [`App::load`].
struct Rows(std::vec::IntoIter<Option<Row>>);

impl Rows {
    fn next<T: DeserializeOwned + Default>(&mut self) -> Result<T, StoreError> {
        Ok(self.next_versioned()?.0)
    }

    fn next_versioned<T: DeserializeOwned + Default>(&mut self) -> Result<(T, u64), StoreError> {
        match self.0.next().flatten() {
            Some(row) => Ok((parse_doc(&row.doc)?, row.version)),
            None => Ok((T::default(), 0)),
        }
    }
}

impl App {
    /// An account with everything in force for it, from memory for up to
    /// [`CACHE_TTL`](crate::app::CACHE_TTL); `None`: there is no such account.
    ///
    /// # Errors
    /// Also when a secret cannot be opened: nothing is sent unsigned, unmasked or without its headers.
    pub async fn account_config(
        &self,
        account: &str,
    ) -> Result<Option<Arc<AccountConfig>>, StoreError> {
        self.configs
            .get(account, self.clock.now(), || self.load(account))
            .await
    }

    async fn load(&self, account: &str) -> Result<Option<AccountConfig>, StoreError> {
        let Some(account) = self.find_account(account).await?.map(|found| found.value) else {
            return Ok(None);
        };
        let (own, agency) = (account.id.as_str(), account.agency.as_str());
        let mut keys: Vec<Key> = vec![
            keyspace::settings(own, Callbacks::AREA),
            keyspace::settings(agency, Callbacks::AREA),
            keyspace::settings(own, Security::AREA),
            keyspace::settings(agency, Security::AREA),
            keyspace::settings(own, Sources::AREA),
        ];
        for kind in EndpointKind::ALL {
            keys.push(keyspace::signing_secrets(own, kind.as_str()));
            keys.push(keyspace::signing_secrets(agency, kind.as_str()));
            keys.push(keyspace::endpoint_state(own, kind.as_str()));
        }
        let mut rows = Rows(self.table.get_many(&keys).await?.into_iter());

        let callbacks: (Callbacks, Callbacks) = (rows.next()?, rows.next()?);
        let security: (Security, Security) = (rows.next()?, rows.next()?);
        let sources: Sources = rows.next()?;
        let mut endpoints = [const { None }; 4];
        for (kind, slot) in EndpointKind::ALL.into_iter().zip(&mut endpoints) {
            let secrets: (Secrets, Secrets) = (rows.next()?, rows.next()?);
            let (mut state, version): (EndpointState, u64) = rows.next_versioned()?;
            state.version = version;
            let resolved = callbacks::resolve(kind, &callbacks.0, &callbacks.1);
            *slot = self
                .endpoint(&account, kind, resolved, &secrets, state)
                .await
                .map_err(closed)?
                .map(Arc::new);
        }
        let twilio_auth_token = self
            .open_twilio_token(&account.id, &sources)
            .await
            .map_err(closed)?;
        let masking = security::resolve(&security.0, &security.1).into();
        Ok(Some(AccountConfig {
            account,
            endpoints,
            masking,
            twilio_auth_token,
        }))
    }

    async fn endpoint(
        &self,
        account: &Account,
        kind: EndpointKind,
        resolved: callbacks::Resolved,
        secrets: &(Secrets, Secrets),
        state: EndpointState,
    ) -> Result<Option<Endpoint>, KeysError> {
        let Some(url) = resolved.url else {
            return Ok(None);
        };
        // Whoever names the receiver signs, and says what headers it gets.
        let (owner, secrets) = match url.from {
            Origin::Agency => (account.agency.as_str(), &secrets.1),
            _ => (account.id.as_str(), &secrets.0),
        };
        let headers = match &resolved.headers {
            Some(headers) => headers.value.open_extra(&*self.keys, owner, kind).await?,
            None => ExtraHeaders::default(),
        };
        Ok(Some(Endpoint {
            account: account.id.clone(),
            kind,
            enabled: resolved.enabled.value,
            url: url.value,
            headers,
            events: resolved
                .events
                .map(|events| events.value)
                .unwrap_or_default(),
            rate_per_second: resolved.rate_per_second.map(|rate| rate.value.into()),
            concurrency: resolved.concurrency.value,
            timeout: Duration::from_secs(resolved.timeout_seconds.value.into()),
            format: resolved.format.value,
            signing_keys: self.open_secrets(owner, kind, secrets).await?,
            state,
        }))
    }
}

/// A secret that cannot be had makes the whole account unavailable.
#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn closed(error: KeysError) -> StoreError {
    StoreError::Unavailable(format!("a secret of an account cannot be opened: {error}"))
}
