//! `ringfence key`: API keys, for who has the data folder.

use std::{path::Path, sync::Arc};

use ringfence_domain::{
    App,
    access::{Owner, Scope},
    history::Actor,
};
use ringfence_embedded::Embedded;
use ringfence_local::StartError;
use ringfence_webhook::{Policy, send, target::SystemResolver};

use super::{
    args::{Folder, Key, KeyOwner, ListKeys, NewKey, RevokeKey},
    failure::Failure,
    serve::say,
};

/// Makes, lists or revokes API keys.
pub async fn key(args: Key) -> Result<(), Failure> {
    match args {
        Key::New(args) => new(args).await,
        Key::List(args) => list(args).await,
        Key::Revoke(args) => revoke(args).await,
    }
}

async fn new(args: NewKey) -> Result<(), Failure> {
    let (_store, app) = open(&args.folder)?;
    let owner = existing(&app, &args.owner).await?;
    let scopes = if args.scopes.is_empty() {
        Scope::ALL.to_vec()
    } else {
        args.scopes
    };
    let (key, secret) = ringfence_local::new_key(&app, owner, &args.name, scopes).await?;
    say(&format!(
        "{}\n\nShown only this once. Its id is {}.",
        secret.reveal(),
        key.id
    ));
    Ok(())
}

async fn list(args: ListKeys) -> Result<(), Failure> {
    let (_store, app) = open(&args.folder)?;
    let owner = existing(&app, &args.owner).await?;
    for (_, key) in app.api_keys_of(&owner).await? {
        let scopes: Vec<_> = key.scopes.iter().map(|scope| scope.as_str()).collect();
        let expires = key
            .expires_at
            .map(|at| format!(", expires {at:.0}"))
            .unwrap_or_default();
        say(&format!(
            "{}  {}…  made {:.0}{expires}  {}\n    {}",
            key.id,
            key.hint,
            key.created_at,
            key.name,
            scopes.join(" ")
        ));
    }
    Ok(())
}

async fn revoke(args: RevokeKey) -> Result<(), Failure> {
    let (_store, app) = open(&args.folder)?;
    let owner = existing(&app, &args.owner).await?;
    if !app
        .revoke_api_key(&owner, &args.id, &Actor::system())
        .await?
    {
        return Err(Failure::NoSuch("such key of this owner".to_owned()));
    }
    say("Revoked.");
    Ok(())
}

pub(super) fn open(folder: &Folder) -> Result<(Arc<Embedded>, App), Failure> {
    let data: &Path = &folder.data;
    // `open` would make one, and the key would be of a server that nobody runs.
    if !data.exists() {
        return Err(Failure::NoFolder(data.to_owned()));
    }
    let opened = ringfence_local::open(
        data,
        Policy::public(),
        Arc::new(SystemResolver),
        send::Options::default(),
    );
    opened.map_err(|error: StartError| error.into())
}

/// The owner that is named, if there is such an agency or account.
async fn existing(app: &App, named: &KeyOwner) -> Result<Owner, Failure> {
    let Some(id) = &named.owner else {
        return Ok(Owner::Platform);
    };
    let owner = Owner::parse(id).ok_or_else(|| Failure::NoSuch(id.clone()))?;
    let exists = match &owner {
        Owner::Platform => true,
        Owner::Agency(agency) => app.find_agency(agency).await?.is_some(),
        Owner::Account(account) => app.find_account(account).await?.is_some(),
    };
    if exists {
        Ok(owner)
    } else {
        Err(Failure::NoSuch(id.clone()))
    }
}
