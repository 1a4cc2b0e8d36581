//! Who is calling, and what they may do.
//!
//! A caller is a machine with an API key of the platform's operator, of an agency or of an account, or
//! a person who is logged in. A key reaches what its owner owns, as far as its scopes go; a person what
//! its roles are held on, as far as the table of [`roles`] says. What lies outside answers exactly as
//! what does not exist.

pub mod last_use;
pub mod reach;
pub mod roles;

use std::{net::IpAddr, sync::Arc};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use ringfence_ports::{Key, Op, Put, Query, StoreError, Unit, When};
use serde::{Deserialize, Serialize};

use crate::{
    App, history, id, keyspace,
    people::{Grant, Role, User},
    session::Current,
    settings::{Account, AccountConfig},
};

pub use last_use::ListedKey;
pub use reach::{DataReach, Hearing, VisibleCall};
pub use roles::Reach;

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
    /// Read users, access control groups and teams.
    #[serde(rename = "people:read")]
    PeopleRead,
    /// Invite, change, suspend and remove users; change access control groups and teams.
    #[serde(rename = "people:write")]
    PeopleWrite,
    /// Post billing notices: for the billing system.
    #[serde(rename = "billing:write")]
    BillingWrite,
    /// Make, list and revoke API keys; create accounts and agencies.
    #[serde(rename = "admin")]
    Admin,
}

impl Scope {
    /// Every scope there is.
    pub const ALL: [Self; 17] = [
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
        Self::PeopleRead,
        Self::PeopleWrite,
        Self::BillingWrite,
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
            Self::PeopleRead => "people:read",
            Self::PeopleWrite => "people:write",
            Self::BillingWrite => "billing:write",
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

/// A person who is logged in.
#[derive(Clone, Debug)]
pub struct Person {
    /// Who, as the table has it now: neither it nor the session is remembered between requests.
    pub user: User,
    /// The session that it is logged in by.
    pub session: Current,
}

/// Who is calling.
#[derive(Clone, Debug)]
pub enum Principal {
    /// A machine, by its key.
    Key(Arc<ApiKey>),
    /// A person, by a session.
    Person(Arc<Person>),
}

/// An authenticated caller.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who.
    pub principal: Principal,
    /// Where it calls from, when known.
    pub address: Option<IpAddr>,
}

impl Caller {
    /// The public id of its key, or the person's.
    pub fn id(&self) -> &str {
        match &self.principal {
            Principal::Key(key) => &key.id,
            Principal::Person(person) => &person.user.id,
        }
    }

    /// The person, if it is one.
    pub fn person(&self) -> Option<&Person> {
        match &self.principal {
            Principal::Key(_) => None,
            Principal::Person(person) => Some(person),
        }
    }

    /// The actor that the history names.
    pub fn actor(&self) -> history::Actor {
        history::Actor {
            id: self.id().to_owned(),
            address: self.address,
        }
    }
}

/// What a caller may do within one account or agency, or on the platform.
#[derive(Clone, Debug)]
pub enum Rights {
    /// What a key's scopes say.
    Key(Arc<ApiKey>),
    /// What the roles say that a person holds there, or above.
    Roles(Vec<Grant>),
    /// What one of the operator's team may do while support access is open.
    Support,
}

impl Rights {
    /// How far a scope reaches; `None`: not at all.
    pub fn reach(&self, scope: Scope) -> Option<Reach> {
        match self {
            Self::Key(key) => key.scopes.contains(&scope).then_some(Reach::All),
            Self::Roles(grants) => grants
                .iter()
                .filter_map(|grant| roles::reach(grant.role, scope))
                .max(),
            Self::Support => roles::support(scope),
        }
    }

    /// The rank below which it may grant roles. A key stands as high as those who can make one of its
    /// owner; the platform's key appoints operators.
    pub fn rank(&self) -> u8 {
        match self {
            Self::Key(key) => match key.owner {
                Owner::Platform => u8::MAX,
                Owner::Agency(_) => Role::AgencyAdministrator.rank(),
                Owner::Account(_) => Role::Administrator.rank(),
            },
            Self::Roles(grants) => grants
                .iter()
                .map(|grant| grant.role.rank())
                .max()
                .unwrap_or(0),
            Self::Support => 0,
        }
    }

    /// Checks a scope.
    pub fn require(&self, scope: Scope) -> Result<Reach, AccessError> {
        self.reach(scope).ok_or(AccessError::Scope(scope))
    }
}

/// Why a caller was turned away.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// No credentials, or ones that are not known, expired or revoked. Deliberately not told apart.
    #[error("the credentials are missing, unknown or expired")]
    Unauthenticated,
    /// The key, or the person's role, lacks a scope.
    #[error("the caller lacks the scope {}", .0.as_str())]
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
        self.note_use(&key, now).await;
        Ok(Caller {
            principal: Principal::Key(key),
            address,
        })
    }

    /// The account, if the caller reaches it and holds `scope`. A foreign account answers as an
    /// absent one.
    pub async fn account(
        &self,
        caller: &Caller,
        scope: Scope,
        account: &str,
    ) -> Result<Arc<AccountConfig>, AccessError> {
        Ok(self.account_rights(caller, scope, account).await?.0)
    }

    /// The account, for a caller that may pause and resume its callbacks: by `settings:write`, or as one
    /// of the operator's team who was let in. That one changes no settings, but may stop what floods a
    /// receiver.
    pub async fn account_to_pause(
        &self,
        caller: &Caller,
        account: &str,
    ) -> Result<Arc<AccountConfig>, AccessError> {
        let (config, rights) = self.rights_to_account(caller, account).await?;
        rights.require(match rights {
            Rights::Support => Scope::DeliveriesWrite,
            Rights::Key(_) | Rights::Roles(_) => Scope::SettingsWrite,
        })?;
        Ok(config)
    }

    /// The same, with the caller's rights.
    async fn account_rights(
        &self,
        caller: &Caller,
        scope: Scope,
        account: &str,
    ) -> Result<(Arc<AccountConfig>, Rights), AccessError> {
        let (config, rights) = self.rights_to_account(caller, account).await?;
        rights.require(scope)?;
        Ok((config, rights))
    }

    /// The account, if the caller reaches it, and what it may do there.
    async fn rights_to_account(
        &self,
        caller: &Caller,
        account: &str,
    ) -> Result<(Arc<AccountConfig>, Rights), AccessError> {
        const ABSENT: AccessError = AccessError::NotFound("account");
        if is_elsewhere(caller, account) {
            return Err(ABSENT);
        }
        let config = self.account_config(account).await?.ok_or(ABSENT)?;
        let rights = self.rights_in_account(caller, &config.account).await?;
        Ok((config, rights))
    }

    /// What the caller may do in an account; [`AccessError::NotFound`] when it does not reach it.
    pub async fn rights_in_account(
        &self,
        caller: &Caller,
        account: &Account,
    ) -> Result<Rights, AccessError> {
        const ABSENT: AccessError = AccessError::NotFound("account");
        let agency = Owner::Agency(account.agency.clone());
        let own = Owner::Account(account.id.clone());
        match &caller.principal {
            Principal::Key(key) => {
                let reaches =
                    key.owner == Owner::Platform || key.owner == agency || key.owner == own;
                reaches.then(|| Rights::Key(key.clone())).ok_or(ABSENT)
            }
            Principal::Person(person) => self
                .rights_of(caller, person, &[own, agency])
                .await?
                .ok_or(ABSENT),
        }
    }

    /// What the caller may do in an agency itself (not merely in an account of it);
    /// [`AccessError::NotFound`] when it does not reach it. That the agency exists is for the caller of
    /// this to find out.
    pub async fn rights_in_agency(
        &self,
        caller: &Caller,
        agency: &str,
    ) -> Result<Rights, AccessError> {
        const ABSENT: AccessError = AccessError::NotFound("agency");
        if !id::Kind::Agency.matches(agency) {
            return Err(ABSENT);
        }
        let own = Owner::Agency(agency.to_owned());
        match &caller.principal {
            Principal::Key(key) => {
                let reaches = key.owner == Owner::Platform || key.owner == own;
                reaches.then(|| Rights::Key(key.clone())).ok_or(ABSENT)
            }
            Principal::Person(person) => {
                self.rights_of(caller, person, &[own]).await?.ok_or(ABSENT)
            }
        }
    }

    /// Whether the caller reaches the agency itself (not merely an account of it) and holds `scope`.
    /// That the agency exists is for the caller of this to find out.
    pub async fn agency(
        &self,
        caller: &Caller,
        scope: Scope,
        agency: &str,
    ) -> Result<Rights, AccessError> {
        let rights = self.rights_in_agency(caller, agency).await?;
        rights.require(scope)?;
        Ok(rights)
    }

    /// Whether the caller is the platform's operator, or one of its team, and holds `scope`.
    pub fn platform(&self, caller: &Caller, scope: Scope) -> Result<Rights, AccessError> {
        const ABSENT: AccessError = AccessError::NotFound("resource");
        let rights = match &caller.principal {
            Principal::Key(key) if key.owner == Owner::Platform => Rights::Key(key.clone()),
            Principal::Key(_) => return Err(ABSENT),
            Principal::Person(person) => {
                let grant = person.user.grant_on(&Owner::Platform).ok_or(ABSENT)?;
                Rights::Roles(vec![grant.clone()])
            }
        };
        rights.require(scope)?;
        Ok(rights)
    }

    /// The roles that a person holds on any of these owners. `None`: none, and so it does not reach
    /// what they own.
    async fn rights_of(
        &self,
        caller: &Caller,
        person: &Person,
        owners: &[Owner],
    ) -> Result<Option<Rights>, AccessError> {
        let held: Vec<Grant> = owners
            .iter()
            .filter_map(|owner| person.user.grant_on(owner).cloned())
            .collect();
        // The operator's team comes in only while the agency lets it.
        if held.is_empty()
            && person.user.grant_on(&Owner::Platform).is_some()
            && let Some(Owner::Agency(agency)) = owners.last()
            && self.use_support(caller, agency).await?
        {
            return Ok(Some(Rights::Support));
        }
        Ok((!held.is_empty()).then_some(Rights::Roles(held)))
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
                    ops: vec![
                        Op::Delete(row, When::Present),
                        Op::Delete(keyspace::api_key_use(key_id), When::Always),
                    ],
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

/// Whether a key belongs to another account than this one: then nothing needs to be read.
pub(crate) fn is_elsewhere(caller: &Caller, account: &str) -> bool {
    matches!(&caller.principal, Principal::Key(key)
        if matches!(&key.owner, Owner::Account(own) if own != account))
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
