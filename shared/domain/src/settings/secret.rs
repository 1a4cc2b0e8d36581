//! Signing secrets: made by us, shown once, rotated with an overlap in which both sign.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::{SignedDuration, Timestamp};
use ringfence_ports::{KeysError, Op, Put, StoreError, Unit, When};
use ringfence_webhook::sign;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{EndpointKind, error::SettingsError, tenant::Tenant};
use crate::{
    App,
    access::{parse_doc, to_doc, to_value},
    history::{Action, Actor, Change},
    id, keyspace,
};

/// The longest overlap of a rotation, in seconds: a week.
pub const MAX_OVERLAP_SECONDS: u32 = 604_800;
/// The overlap where nothing is said, in seconds: a day.
pub const DEFAULT_OVERLAP_SECONDS: u32 = 86_400;
/// The most secrets of one callback that may be in force at a time: each costs a signature a request.
pub const MAX_SECRETS: usize = 5;

/// How often a rotation is tried again when another one came first.
const ATTEMPTS: usize = 8;

/// How a secret signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretType {
    /// `whsec_`, HMAC-SHA256, signatures `v1`.
    Hmac,
    /// `whsk_`/`whpk_`, Ed25519, signatures `v1a`.
    Ed25519,
}

/// What may be known of a signing secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretInfo {
    /// `sec_…`
    pub id: String,
    /// How it signs.
    #[serde(rename = "type")]
    pub secret_type: SecretType,
    /// What verifies its signatures, when that may be known: `whpk_…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it no longer signs; `None`: it is the newest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retires_at: Option<Timestamp>,
}

/// A secret as it is stored.
#[derive(Clone, Serialize, Deserialize)]
struct StoredSecret {
    #[serde(flatten)]
    info: SecretInfo,
    commitment: String,
    sealed: String,
}

/// The secrets of one callback, newest first.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Secrets {
    secrets: Vec<StoredSecret>,
}

/// A secret that was just made: the only time that it is shown.
#[derive(Clone)]
pub struct NewSecret {
    /// What may be known of it later as well.
    pub info: SecretInfo,
    key: sign::Key,
}

impl NewSecret {
    /// The `whsec_…` to show, once. `None` for Ed25519: the private key has no reason to leave, and
    /// receivers verify with the public one.
    pub fn reveal(&self) -> Option<String> {
        match &self.key {
            sign::Key::Symmetric(secret) => Some(secret.reveal()),
            sign::Key::Asymmetric(_) => None,
        }
    }

    /// The key, to sign with before it is stored.
    pub(super) fn key(&self) -> &sign::Key {
        &self.key
    }
}

impl fmt::Debug for NewSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("NewSecret").field(&self.info.id).finish()
    }
}

fn context(owner: &str, kind: EndpointKind, secret: &str) -> String {
    format!("{owner}/secret/{}/{secret}", kind.as_str())
}

impl Secrets {
    fn in_force(&self, now: Timestamp) -> impl Iterator<Item = &StoredSecret> {
        self.secrets
            .iter()
            .filter(move |secret| secret.info.retires_at.is_none_or(|at| now < at))
    }

    /// Without what has retired.
    fn pruned(&self, now: Timestamp) -> Self {
        Self {
            secrets: self.in_force(now).cloned().collect(),
        }
    }

    /// As the history keeps them.
    fn recorded(&self) -> Result<Value, StoreError> {
        let secrets = self.secrets.iter().map(|secret| {
            let mut value = to_value(&secret.info)?;
            if let Some(fields) = value.as_object_mut() {
                fields.insert("commitment".to_owned(), secret.commitment.as_str().into());
            }
            Ok(value)
        });
        secrets.collect::<Result<_, _>>()
    }
}

/// A new secret and the row of a callback that has none yet.
pub(super) struct FirstSecret {
    pub(super) secret: NewSecret,
    pub(super) op: Op,
    pub(super) recorded: Value,
}

impl App {
    /// A short commitment to a value that must not be recorded: it tells that a value changed, and
    /// nothing of the value to whoever lacks the key.
    pub(crate) async fn commitment(
        &self,
        context: &str,
        value: &[u8],
    ) -> Result<String, KeysError> {
        let mac = self
            .keys
            .mac(&format!("commitment/{context}"), value)
            .await?;
        Ok(id::hex(mac.get(..8).unwrap_or(&mac)))
    }

    /// The signing keys of a callback that are in force, newest first. None at all is an error: what
    /// has a URL has a secret, and nothing goes out unsigned.
    pub(super) async fn open_secrets(
        &self,
        owner: &str,
        kind: EndpointKind,
        secrets: &Secrets,
    ) -> Result<Vec<sign::Key>, KeysError> {
        let mut keys = Vec::new();
        for secret in secrets.in_force(self.clock.now()) {
            let sealed = STANDARD
                .decode(&secret.sealed)
                .map_err(|_| KeysError::Refused)?;
            let plain = self
                .keys
                .open(&context(owner, kind, &secret.info.id), &sealed)
                .await?;
            let text = std::str::from_utf8(&plain).map_err(|_| KeysError::Refused)?;
            keys.push(text.parse().map_err(|_| KeysError::Refused)?);
        }
        if keys.is_empty() {
            Err(KeysError::Refused)
        } else {
            Ok(keys)
        }
    }

    /// The stored secrets of a callback, with their row's version (0: there are none).
    pub(super) async fn stored_secrets(
        &self,
        owner: &str,
        kind: EndpointKind,
    ) -> Result<(Secrets, u64), StoreError> {
        match self
            .table
            .get(&keyspace::signing_secrets(owner, kind.as_str()))
            .await?
        {
            Some(row) => Ok((parse_doc(&row.doc)?, row.version)),
            None => Ok((Secrets::default(), 0)),
        }
    }

    async fn make_secret(
        &self,
        owner: &str,
        kind: EndpointKind,
        secret_type: SecretType,
    ) -> Result<(NewSecret, StoredSecret), KeysError> {
        let now = self.clock.now();
        let mut bytes = [0; 32];
        self.random.fill(&mut bytes);
        let (key, public_key) = match secret_type {
            SecretType::Hmac => {
                let secret = sign::Secret::from_random(&bytes).map_err(|_| KeysError::Refused)?;
                (sign::Key::Symmetric(secret), None)
            }
            SecretType::Ed25519 => {
                let key = sign::SigningKey::from_seed(bytes).map_err(|_| KeysError::Refused)?;
                let public = key.verifying_key().to_string();
                (sign::Key::Asymmetric(key), Some(public))
            }
        };
        let info = SecretInfo {
            id: id::new(id::Kind::SigningSecret, now, &*self.random),
            secret_type,
            public_key,
            created_at: now,
            retires_at: None,
        };
        let context = context(owner, kind, &info.id);
        let text = key.reveal();
        let stored = StoredSecret {
            info: info.clone(),
            commitment: self.commitment(&context, text.as_bytes()).await?,
            sealed: STANDARD.encode(self.keys.seal(&context, text.as_bytes()).await?),
        };
        Ok((NewSecret { info, key }, stored))
    }

    /// The first secret of a callback, to be committed with the document that gives it a URL.
    pub(super) async fn first_secret(
        &self,
        owner: &str,
        kind: EndpointKind,
    ) -> Result<FirstSecret, SettingsError> {
        let (secret, stored) = self.make_secret(owner, kind, SecretType::Hmac).await?;
        let secrets = Secrets {
            secrets: vec![stored],
        };
        let key = keyspace::signing_secrets(owner, kind.as_str());
        let op = Op::Put(Put::new(key, to_doc(&secrets)?, When::Absent));
        Ok(FirstSecret {
            secret,
            op,
            recorded: secrets.recorded()?,
        })
    }

    /// What may be known of a callback's secrets that are in force, newest first.
    pub async fn signing_secrets(
        &self,
        tenant: &Tenant,
        kind: EndpointKind,
    ) -> Result<Vec<SecretInfo>, StoreError> {
        let (secrets, _) = self.stored_secrets(tenant.id(), kind).await?;
        Ok(secrets
            .in_force(self.clock.now())
            .map(|secret| secret.info.clone())
            .collect())
    }

    /// Makes a new secret that signs from now on. Those before sign beside it for another
    /// `overlap_seconds` (at most [`MAX_OVERLAP_SECONDS`]), unless they retire sooner anyway. A
    /// callback that has none yet gets its first.
    pub async fn rotate_secret(
        &self,
        tenant: &Tenant,
        kind: EndpointKind,
        secret_type: SecretType,
        overlap_seconds: u32,
        actor: &Actor,
    ) -> Result<NewSecret, SettingsError> {
        if overlap_seconds > MAX_OVERLAP_SECONDS {
            let reason = format!("must be a whole number from 0 to {MAX_OVERLAP_SECONDS}");
            return Err(SettingsError::field(
                "overlap_seconds",
                "out_of_range",
                reason,
            ));
        }
        let owner = tenant.id();
        let (new, stored) = self.make_secret(owner, kind, secret_type).await?;
        for _ in 0..ATTEMPTS {
            let now = self.clock.now();
            let (found, version) = self.stored_secrets(owner, kind).await?;
            let before = found.pruned(now);
            let overlap = SignedDuration::from_secs(overlap_seconds.into());
            // Past the last instant there is: never in practice, and then at once.
            let retires_at = now.checked_add(overlap).unwrap_or(now);
            let mut after = Secrets {
                secrets: vec![stored.clone()],
            };
            for old in &before.secrets {
                let mut old = old.clone();
                old.info.retires_at = Some(
                    old.info
                        .retires_at
                        .map_or(retires_at, |at| at.min(retires_at)),
                );
                after.secrets.push(old);
            }
            let after = after.pruned(now);
            if after.secrets.len() > MAX_SECRETS {
                return Err(SettingsError::Conflict(
                    "Too many secrets of this callback are in force. Wait for one to retire, or rotate without an overlap.",
                ));
            }
            let when = if version == 0 {
                When::Absent
            } else {
                When::Version(version)
            };
            let key = keyspace::signing_secrets(owner, kind.as_str());
            let unit = Unit {
                ops: vec![Op::Put(Put::new(key, to_doc(&after)?, when))],
                sends: Vec::new(),
            };
            let change = Change {
                item: format!("callbacks/{}/secret", kind.as_str()),
                action: Action::Rotate,
                before: json!({ "secrets": before.recorded()? }),
                after: json!({ "secrets": after.recorded()? }),
            };
            match self.commit_change(owner, actor, change, unit).await {
                Ok(_) => return Ok(new),
                Err(StoreError::Condition { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Busy.into())
    }
}
