//! Reading and changing the settings documents of agencies and accounts.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use ringfence_ports::StoreError;
use ringfence_webhook::{ExtraHeaders, Target, Timeouts};
use serde_json::{Map, Value};

use super::{
    EndpointKind,
    callbacks::{self, Callbacks, EffectiveCallback},
    challenge::Asked,
    document::{Beside, Document, Edit},
    error::SettingsError,
    fields::Errors,
    secret::NewSecret,
    security::{self, EffectiveSecurity, Security},
    sources::{self, Sources},
    tenant::{Tenant, Versioned},
};
use crate::{App, access::parse_doc, history::Actor, keyspace};

/// A callbacks document that was saved.
#[derive(Debug)]
pub struct SavedCallbacks {
    /// As it is shown.
    pub document: Value,
    /// Its version now.
    pub version: u64,
    /// The secrets that came into being with it: shown now and never again.
    pub secrets: BTreeMap<EndpointKind, NewSecret>,
}

impl App {
    /// The callbacks document as it is shown.
    pub async fn callbacks_document(
        &self,
        tenant: &Tenant,
    ) -> Result<Versioned<Value>, StoreError> {
        shown(&self.document::<Callbacks>(tenant).await?)
    }

    /// The security document as it is shown.
    pub async fn security_document(&self, tenant: &Tenant) -> Result<Versioned<Value>, StoreError> {
        shown(&self.document::<Security>(tenant).await?)
    }

    /// The sources document as it is shown.
    pub async fn sources_document(&self, tenant: &Tenant) -> Result<Versioned<Value>, StoreError> {
        shown(&self.document::<Sources>(tenant).await?)
    }

    /// The callbacks in force, with where each value comes from.
    pub async fn effective_callbacks(
        &self,
        tenant: &Tenant,
    ) -> Result<BTreeMap<EndpointKind, EffectiveCallback>, StoreError> {
        let (account, agency) = self.documents(tenant).await?;
        Ok(callbacks::effective(&account, &agency))
    }

    /// The security settings in force, with where each value comes from.
    pub async fn effective_security(
        &self,
        tenant: &Tenant,
    ) -> Result<EffectiveSecurity, StoreError> {
        let (account, agency) = self.documents(tenant).await?;
        Ok(security::resolve(&account, &agency))
    }

    /// Saves a callbacks document over `version`. With `verify`, each URL that is new must answer a
    /// challenge first.
    ///
    /// A callback that gets its first URL gets a signing secret, which is in the answer. A challenge
    /// is signed with the secret in force, or with that new one, which the receiver cannot know yet.
    pub async fn save_callbacks(
        &self,
        tenant: &Tenant,
        version: u64,
        edit: Edit,
        verify: bool,
        actor: &Actor,
    ) -> Result<SavedCallbacks, SettingsError> {
        let before: Callbacks = self.document_at(tenant, version).await?;
        let mut edit = edit;
        if let Edit::Patch(patch) = &mut edit {
            callbacks::fold_header_names(patch)?;
        }
        let mut errors = Errors::default();
        let given = callbacks::parse(edit.apply(&before)?, tenant.is_agency(), &mut errors);
        let targets = self.vet_urls(&given, &before, &mut errors).await;
        let after = self
            .seal_headers(tenant, &given, &before, &targets, &mut errors)
            .await?;
        let after = errors.into_result(after)?;

        let mut secrets = BTreeMap::new();
        let mut recorded = Map::new();
        let mut beside = Beside::default();
        for kind in EndpointKind::ALL {
            let is_first = after.url(kind).is_some() && before.url(kind).is_none();
            if is_first && self.stored_secrets(tenant.id(), kind).await?.1 == 0 {
                let first = self.first_secret(tenant.id(), kind).await?;
                beside.ops.push(first.op);
                recorded.insert(kind.as_str().to_owned(), first.recorded);
                secrets.insert(kind, first.secret);
            }
        }
        if let Tenant::Account(account) = tenant {
            for kind in EndpointKind::ALL {
                // What was held while there was no URL, or while it was switched off, goes out now.
                if after.is_open(kind) && !before.is_open(kind) && version > 0 {
                    let (_, unit) = self.replay_of_held(&account.id, kind)?;
                    beside.ops.extend(unit.ops);
                    beside.sends.extend(unit.sends);
                }
            }
        }
        if !recorded.is_empty() {
            beside.recorded = Some(("secrets", Value::Object(recorded)));
        }
        if verify {
            self.challenge_changed(tenant, &before, &after, &targets, &secrets)
                .await?;
        }
        let version = self
            .commit_document(tenant, version, &before, &after, beside, actor)
            .await?;
        Ok(SavedCallbacks {
            document: after.shown()?,
            version,
            secrets,
        })
    }

    /// Saves a security document over `version`.
    pub async fn save_security(
        &self,
        tenant: &Tenant,
        version: u64,
        edit: Edit,
        actor: &Actor,
    ) -> Result<Versioned<Value>, SettingsError> {
        let before: Security = self.document_at(tenant, version).await?;
        let mut errors = Errors::default();
        let after = security::parse(edit.apply(&before)?, tenant.is_agency(), &mut errors);
        let after = errors.into_result(after)?;
        let version = self
            .commit_document(tenant, version, &before, &after, Beside::default(), actor)
            .await?;
        Ok(shown(&Versioned {
            value: after,
            version,
        })?)
    }

    /// Saves a sources document over `version`.
    pub async fn save_sources(
        &self,
        tenant: &Tenant,
        version: u64,
        edit: Edit,
        actor: &Actor,
    ) -> Result<Versioned<Value>, SettingsError> {
        let before: Sources = self.document_at(tenant, version).await?;
        let mut errors = Errors::default();
        let token = sources::parse(edit.apply(&before)?, &mut errors);
        // Before anything is sealed: a token that is wrong may be longer than what can be.
        errors.into_result(())?;
        let mut errors = Errors::default();
        let after = self
            .seal_sources(tenant, token, &before, &mut errors)
            .await?;
        let after = errors.into_result(after)?;
        let version = self
            .commit_document(tenant, version, &before, &after, Beside::default(), actor)
            .await?;
        Ok(shown(&Versioned {
            value: after,
            version,
        })?)
    }

    async fn challenge_changed(
        &self,
        tenant: &Tenant,
        before: &Callbacks,
        after: &Callbacks,
        targets: &BTreeMap<EndpointKind, Target>,
        made: &BTreeMap<EndpointKind, NewSecret>,
    ) -> Result<(), SettingsError> {
        let mut asked = Vec::new();
        let changed: BTreeSet<_> = targets
            .keys()
            .filter(|kind| after.url(**kind) != before.url(**kind))
            .collect();
        for kind in changed {
            let (Some(target), Some(callback)) = (targets.get(kind), after.callbacks.get(kind))
            else {
                continue;
            };
            let keys = if let Some(secret) = made.get(kind) {
                vec![secret.key().clone()]
            } else {
                let (secrets, _) = self.stored_secrets(tenant.id(), *kind).await?;
                self.open_secrets(tenant.id(), *kind, &secrets).await?
            };
            let headers = match &callback.headers {
                Some(headers) => headers.open_extra(&*self.keys, tenant.id(), *kind).await?,
                None => ExtraHeaders::default(),
            };
            let timeout = callback
                .timeout_seconds
                .unwrap_or(callbacks::DEFAULT_TIMEOUT_SECONDS);
            let timeouts = Timeouts::within(Duration::from_secs(timeout.into()));
            asked.push(self.challenge(
                tenant,
                Asked {
                    kind: *kind,
                    target,
                    headers,
                    keys,
                    timeouts,
                },
            ));
        }
        let answers = futures_util::future::join_all(asked).await;
        let wrong: Vec<_> = answers.into_iter().filter_map(Result::err).collect();
        if wrong.is_empty() {
            Ok(())
        } else {
            Err(SettingsError::Challenge(wrong))
        }
    }

    /// The documents of the account and of its agency; for an agency, the account's is empty.
    pub(super) async fn documents<D: Document>(
        &self,
        tenant: &Tenant,
    ) -> Result<(D, D), StoreError> {
        let account = match tenant {
            Tenant::Agency(_) => return Ok((D::default(), self.document(tenant).await?.value)),
            Tenant::Account(account) => account,
        };
        let keys = [
            keyspace::settings(&account.id, D::AREA),
            keyspace::settings(&account.agency, D::AREA),
        ];
        let mut rows = self.table.get_many(&keys).await?.into_iter();
        let mut next = || match rows.next().flatten() {
            Some(row) => parse_doc(&row.doc),
            None => Ok(D::default()),
        };
        Ok((next()?, next()?))
    }
}

fn shown<D: Document>(document: &Versioned<D>) -> Result<Versioned<Value>, StoreError> {
    Ok(Versioned {
        value: document.value.shown()?,
        version: document.version,
    })
}
