//! Who is calling, and what they may do.
//!
//! A caller holds an API key of the platform's operator, of an agency or of an account. It reaches
//! what its owner owns, as far as its scopes go. What lies outside answers exactly as what does not
//! exist.

use std::{net::IpAddr, sync::Arc};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use ringfence_ports::{Key, Op, Put, Query, StoreError, Unit, When};
use serde::{Deserialize, Serialize};

use crate::{App, history, id, keyspace, settings::AccountConfig};

/// What a key allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Scope {
    /// Post call events.
    #[serde(rename = "events:write")]
    EventsWrite,
    /// Read calls.
    #[serde(rename = "calls:read")]
    CallsRead,
    /// Read settings, accounts and agencies.
    #[serde(rename = "settings:read")]
    SettingsRead,
    /// Change settings; pause and resume callbacks; make and rotate signing secrets.
    #[serde(rename = "settings:write")]
    SettingsWrite,
    /// Read the delivery log and jobs.
    #[serde(rename = "deliveries:read")]
    DeliveriesRead,
    /// Resend, replay and test callbacks.
    #[serde(rename = "deliveries:write")]
    DeliveriesWrite,
    /// Read, search and play recordings; read who listened.
    #[serde(rename = "recordings:read")]
    RecordingsRead,
    /// Register and upload recordings; make and revoke links; set PINs.
    #[serde(rename = "recordings:write")]
    RecordingsWrite,
    /// Read deletions, what they found and their receipts.
    #[serde(rename = "deletion:read")]
    DeletionRead,
    /// Delete recordings; stop and resume that.
    #[serde(rename = "deletion:write")]
    DeletionWrite,
    /// Read legal holds.
    #[serde(rename = "holds:read")]
    HoldsRead,
    /// Place and release legal holds.
    #[serde(rename = "holds:write")]
    HoldsWrite,
    /// Read the change history.
    #[serde(rename = "history:read")]
    HistoryRead,
    /// Make, list and revoke API keys; create accounts and agencies.
    #[serde(rename = "admin")]
    Admin,
}

impl Scope {
    /// Every scope there is.
    pub const ALL: [Self; 14] = [
        Self::EventsWrite,
        Self::CallsRead,
        Self::SettingsRead,
        Self::SettingsWrite,
        Self::DeliveriesRead,
        Self::DeliveriesWrite,
        Self::RecordingsRead,
        Self::RecordingsWrite,
        Self::DeletionRead,
        Self::DeletionWrite,
        Self::HoldsRead,
        Self::HoldsWrite,
        Self::HistoryRead,
        Self::Admin,
    ];

    /// The name, as in a key's `scopes`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EventsWrite => "events:write",
            Self::CallsRead => "calls:read",
            Self::SettingsRead => "settings:read",
            Self::SettingsWrite => "settings:write",
            Self::DeliveriesRead => "deliveries:read",
            Self::DeliveriesWrite => "deliveries:write",
            Self::RecordingsRead => "recordings:read",
            Self::RecordingsWrite => "recordings:write",
            Self::DeletionRead => "deletion:read",
            Self::DeletionWrite => "deletion:write",
            Self::HoldsRead => "holds:read",
            Self::HoldsWrite => "holds:write",
            Self::HistoryRead => "history:read",
            Self::Admin => "admin",
        }
    }
}

/// Who owns a key, and so what it reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The platform's operator: everything.
    Platform,
    /// One agency and its accounts.
    Agency(String),
    /// One account.
    Account(String),
}

impl Owner {
    /// `platform`, or the id of the agency or account.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Platform => "platform",
            Self::Agency(id) | Self::Account(id) => id,
        }
    }

    /// The owner that [`Owner::as_str`] names.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "platform" {
            Some(Self::Platform)
        } else if id::Kind::Agency.matches(text) {
            Some(Self::Agency(text.to_owned()))
        } else if id::Kind::Account.matches(text) {
            Some(Self::Account(text.to_owned()))
        } else {
            None
        }
    }
}

impl Serialize for Owner {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Owner {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not an owner"))
    }
}

/// An API key as it is stored: everything but the secret, of which only the hash is kept (in the
/// row's address).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    /// Public id, `key_…`.
    pub id: String,
    /// What it reaches.
    pub owner: Owner,
    /// A name that people gave it.
    pub name: String,
    /// What it allows.
    pub scopes: Vec<Scope>,
    /// The first characters of the secret, to recognise it by.
    pub hint: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// The secret of an API key: `rfk_` and 32 random bytes in base64url. Shown once; `Debug` shows
/// nothing of it.
pub struct ApiKeySecret(String);

impl ApiKeySecret {
    /// The text to show, once.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for ApiKeySecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ApiKeySecret(…)")
    }
}

/// An authenticated caller.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The key it holds.
    pub key: Arc<ApiKey>,
    /// Where it calls from, when known.
    pub address: Option<IpAddr>,
}

impl Caller {
    /// The actor that the history names.
    pub fn actor(&self) -> history::Actor {
        history::Actor {
            id: self.key.id.clone(),
            address: self.address,
        }
    }
}

/// Why a caller was turned away.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// No credentials, or ones that are not known, expired or revoked. Deliberately not told apart.
    #[error("the API key is missing, unknown or expired")]
    Unauthenticated,
    /// The key lacks a scope.
    #[error("the API key lacks the scope {}", .0.as_str())]
    Scope(Scope),
    /// There is no such thing within the caller's reach.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

const SECRET_PREFIX: &str = "rfk_";

impl App {
    /// The caller that holds `secret`.
    pub async fn authenticate(
        &self,
        secret: &str,
        address: Option<IpAddr>,
    ) -> Result<Caller, AccessError> {
        let well_formed =
            secret.len() == SECRET_PREFIX.len() + 43 && secret.starts_with(SECRET_PREFIX);
        if !well_formed {
            return Err(AccessError::Unauthenticated);
        }
        let hash = hash_of(secret);
        let now = self.clock.now();
        let key = self
            .api_keys
            .get(&hash, now, || async {
                let Some(row) = self.table.get(&keyspace::api_key(&hash)).await? else {
                    return Ok(None);
                };
                parse_doc::<ApiKey>(&row.doc).map(Some)
            })
            .await?
            .ok_or(AccessError::Unauthenticated)?;
        if key.expires_at.is_some_and(|at| at <= now) {
            return Err(AccessError::Unauthenticated);
        }
        Ok(Caller { key, address })
    }

    /// The account, if the caller reaches it and holds `scope`. A foreign account answers as an
    /// absent one.
    pub async fn account(
        &self,
        caller: &Caller,
        scope: Scope,
        account: &str,
    ) -> Result<Arc<AccountConfig>, AccessError> {
        const ABSENT: AccessError = AccessError::NotFound("account");
        let config = match &caller.key.owner {
            Owner::Account(own) if own != account => return Err(ABSENT),
            _ => self.account_config(account).await?.ok_or(ABSENT)?,
        };
        if let Owner::Agency(agency) = &caller.key.owner
            && *agency != config.account.agency
        {
            return Err(ABSENT);
        }
        require(caller, scope)?;
        Ok(config)
    }

    /// Whether the caller reaches the agency itself (not merely an account of it) and holds `scope`.
    /// That the agency exists is for the caller of this to find out.
    pub fn agency(&self, caller: &Caller, scope: Scope, agency: &str) -> Result<(), AccessError> {
        let reaches = id::Kind::Agency.matches(agency)
            && match &caller.key.owner {
                Owner::Platform => true,
                Owner::Agency(own) => own == agency,
                Owner::Account(_) => false,
            };
        if !reaches {
            return Err(AccessError::NotFound("agency"));
        }
        require(caller, scope)
    }

    /// Whether the caller is the platform's operator and holds `scope`.
    pub fn platform(&self, caller: &Caller, scope: Scope) -> Result<(), AccessError> {
        if caller.key.owner != Owner::Platform {
            return Err(AccessError::NotFound("resource"));
        }
        require(caller, scope)
    }

    /// Makes an API key. The secret is in the answer and nowhere else.
    pub async fn create_api_key(
        &self,
        owner: Owner,
        name: String,
        scopes: Vec<Scope>,
        expires_at: Option<Timestamp>,
        actor: &history::Actor,
    ) -> Result<(ApiKey, ApiKeySecret), StoreError> {
        let now = self.clock.now();
        let mut bytes = [0; 32];
        self.random.fill(&mut bytes);
        let secret = format!("{SECRET_PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes));
        let key = ApiKey {
            id: id::new(id::Kind::ApiKey, now, &*self.random),
            owner,
            name,
            scopes,
            hint: secret.chars().take(SECRET_PREFIX.len() + 4).collect(),
            created_at: now,
            expires_at,
        };
        let put = Put {
            index: [
                Some(keyspace::api_keys_of(key.owner.as_str(), &key.id)),
                None,
            ],
            ..Put::new(
                keyspace::api_key(&hash_of(&secret)),
                to_doc(&key)?,
                When::Absent,
            )
        };
        self.commit_change(
            key.owner.as_str(),
            actor,
            history::Change {
                item: format!("api-keys/{}", key.id),
                action: history::Action::Create,
                before: serde_json::Value::Null,
                after: to_value(&key)?,
            },
            Unit {
                ops: vec![Op::Put(put)],
                sends: Vec::new(),
            },
        )
        .await?;
        Ok((key, ApiKeySecret(secret)))
    }

    /// The API keys of an owner, oldest first, with the rows they stand in.
    pub async fn api_keys_of(&self, owner: &Owner) -> Result<Vec<(Key, ApiKey)>, StoreError> {
        let partition = keyspace::api_keys_of(owner.as_str(), "").pk;
        let mut found = Vec::new();
        let mut query = Query {
            limit: 1000,
            ..Query::index(0, partition)
        };
        loop {
            let page = self.table.query(query.clone()).await?;
            for row in page.rows {
                found.push((row.key, parse_doc(&row.doc)?));
            }
            let Some(next) = page.next else {
                return Ok(found);
            };
            query.after = Some(next);
        }
    }

    /// Revokes a key at once in this process, within the cache's seconds in others. `false`: the
    /// owner has no such key.
    pub async fn revoke_api_key(
        &self,
        owner: &Owner,
        key_id: &str,
        actor: &history::Actor,
    ) -> Result<bool, StoreError> {
        let keys = self.api_keys_of(owner).await?;
        let Some((row, key)) = keys.into_iter().find(|(_, key)| key.id == key_id) else {
            return Ok(false);
        };
        let revoked = self
            .commit_change(
                owner.as_str(),
                actor,
                history::Change {
                    item: format!("api-keys/{key_id}"),
                    action: history::Action::Delete,
                    before: to_value(&key)?,
                    after: serde_json::Value::Null,
                },
                Unit {
                    ops: vec![Op::Delete(row, When::Present)],
                    sends: Vec::new(),
                },
            )
            .await;
        match revoked {
            Ok(_) => Ok(true),
            // Somebody else revoked it first.
            Err(StoreError::Condition { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// Checks a scope.
pub fn require(caller: &Caller, scope: Scope) -> Result<(), AccessError> {
    if caller.key.scopes.contains(&scope) {
        Ok(())
    } else {
        Err(AccessError::Scope(scope))
    }
}

fn hash_of(secret: &str) -> String {
    id::hex(ring::digest::digest(&ring::digest::SHA256, secret.as_bytes()).as_ref())
}

/// Reads a stored document. One that does not parse is the store's fault, never the caller's.
pub(crate) fn parse_doc<T: serde::de::DeserializeOwned>(doc: &str) -> Result<T, StoreError> {
    serde_json::from_str(doc).map_err(|error| {
        StoreError::Unavailable(format!(
            "a stored document does not parse: {:?}",
            error.classify()
        ))
    })
}

/// Writes a document to be stored.
pub(crate) fn to_doc<T: Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|_| StoreError::Invalid("a document does not serialize"))
}

/// The same as a JSON value, for the history.
pub(crate) fn to_value<T: Serialize>(value: &T) -> Result<serde_json::Value, StoreError> {
    serde_json::to_value(value).map_err(|_| StoreError::Invalid("a document does not serialize"))
}
