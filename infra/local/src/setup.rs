//! An [`App`] over a data folder, and what a new folder gets.

use std::{path::Path, sync::Arc};

use ringfence_domain::{
    App,
    access::{ApiKey, ApiKeySecret, Owner, Scope},
    history::Actor,
    settings::SettingsError,
};
use ringfence_embedded::{Embedded, Options};
use ringfence_ports::{Clock, StoreError, SystemClock, SystemRandom};
use ringfence_webhook::{Policy, Sender, send, target::Resolve};

use crate::StartError;

/// What a data folder has to offer to whoever starts it.
#[derive(Debug)]
pub struct Sample {
    /// An account to post events to: the first one of the first agency.
    pub account: Option<String>,
    /// The operator's API key, made because the folder is new. Shown now or never.
    pub new_key: Option<ApiKeySecret>,
}

/// Opens a data folder, and makes it if there is none. The sender dials what `policy` permits.
pub fn open(
    data: &Path,
    policy: Policy,
    resolver: Arc<dyn Resolve>,
    sending: send::Options,
) -> Result<(Arc<Embedded>, App), StartError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let store = Arc::new(Embedded::open(
        data,
        &Options::default(),
        Arc::clone(&clock),
    )?);
    let sender = Sender::new(policy, resolver, sending)?;
    let app = App::new(
        store.clone(),
        store.clone(),
        store.keys(),
        clock,
        Arc::new(SystemRandom::new()),
        sender,
    )
    .with_blobs(store.blobs());
    Ok((store, app))
}

/// Makes an API key.
pub async fn new_key(
    app: &App,
    owner: Owner,
    name: &str,
    scopes: Vec<Scope>,
) -> Result<(ApiKey, ApiKeySecret), StoreError> {
    app.create_api_key(owner, name.to_owned(), scopes, None, &Actor::system())
        .await
}

/// Gives a new folder an agency, an account and the operator's key.
///
/// New is a folder whose operator never had a key: one that was revoked is not made again. The key
/// comes last, so that a start that dies half way is finished by the next one.
pub(crate) async fn sample(app: &App) -> Result<Sample, SettingsError> {
    let is_new = app.api_keys_of(&Owner::Platform).await?.is_empty()
        && app
            .history_before(Owner::Platform.as_str(), 1, None)
            .await?
            .0
            .is_empty();
    let actor = Actor::system();
    let agency = match app.agencies(1, None).await?.items.pop() {
        None if is_new => Some(app.create_agency("Sample agency", &actor).await?.value),
        found => found,
    };
    let account = match &agency {
        None => None,
        Some(agency) => match app.accounts_of(&agency.id, 1, None).await?.items.pop() {
            None if is_new => Some(
                app.create_account(&agency.id, "Sample account", &actor)
                    .await?
                    .value,
            ),
            found => found,
        },
    };
    let new_key = if is_new {
        Some(
            new_key(app, Owner::Platform, "First key", Scope::ALL.to_vec())
                .await?
                .1,
        )
    } else {
        None
    };
    Ok(Sample {
        account: account.map(|account| account.id),
        new_key,
    })
}
