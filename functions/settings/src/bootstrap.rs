//! The operator's first API key, for whoever may invoke the function: a new installation has nobody who
//! could ask for it over HTTP.

use ringfence_domain::{
    App,
    access::{Owner, Scope},
    history::Actor,
};
use ringfence_ports::StoreError;
use serde::{Deserialize, Serialize};

/// `{"bootstrap": {}}`, as an event of its own. No request of a gateway looks like it.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    bootstrap: Bootstrap,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Bootstrap {
    /// The earlier keys of the operator, which were lost or got about, are revoked.
    #[serde(default)]
    replace: bool,
}

/// What came of it.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bootstrapped {
    /// The API key, shown this once: it reaches everything.
    Key(String),
    /// Why there is none.
    Refused(&'static str),
}

impl std::fmt::Debug for Bootstrapped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Key(_) => "Key(…)",
            Self::Refused(_) => "Refused",
        })
    }
}

/// Makes the operator's first API key. Where the operator has one already, it refuses, unless the order is
/// to replace it.
pub async fn bootstrap(app: &App, order: Order) -> Result<Bootstrapped, StoreError> {
    let earlier = app.api_keys_of(&Owner::Platform).await?;
    if !earlier.is_empty() && !order.bootstrap.replace {
        return Ok(Bootstrapped::Refused(
            "the operator has an API key; {\"bootstrap\": {\"replace\": true}} makes another and revokes it",
        ));
    }
    let actor = Actor::system();
    let (_, secret) = app
        .create_api_key(
            Owner::Platform,
            "Operator".to_owned(),
            Scope::ALL.to_vec(),
            None,
            &actor,
        )
        .await?;
    // The new one first: a run that dies half way leaves a key that works.
    for (_, key) in earlier {
        app.revoke_api_key(&Owner::Platform, &key.id, &actor)
            .await?;
    }
    Ok(Bootstrapped::Key(secret.reveal().to_owned()))
}
