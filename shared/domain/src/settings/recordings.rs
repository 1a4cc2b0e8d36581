//! The recordings document: for how long links work, who may listen, and how audio is kept.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use ringfence_ports::{Key, StoreError};
use ringfence_sealing::CustomerKey;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    KEEP,
    document::{Beside, Document, Edit},
    error::SettingsError,
    fields::{Errors, Object},
    kms_key::is_kms_key_arn,
    resolve::{Origin, Sourced, choose},
    tenant::{Tenant, Versioned},
};
use crate::{
    App,
    access::{parse_doc, to_value},
    history::Actor,
    keyspace,
    pin::{MAX_PIN_DIGITS, MIN_PIN_DIGITS, Pin, StoredPin},
};

/// For how many days a link works where nobody has set it.
pub const DEFAULT_LINK_DAYS: u16 = 30;
/// The longest that a link can be set to work, in days.
pub const MAX_LINK_DAYS: u16 = 3_650;

/// The longest that recordings can be set to be kept before they are deleted, in days.
pub const MAX_RETENTION_DAYS: u16 = 36_500;
/// How many labels may have days of their own.
const MAX_RETENTION_TAGS: usize = 50;
/// The longest label, in bytes.
const MAX_TAG_BYTES: usize = 512;

/// What a link asks of whoever opens it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Nothing but the link.
    #[default]
    Open,
    /// The PIN: the recording's own, else the one in force for the account.
    Pin,
    /// To be somebody of the account.
    Login,
}

/// How the audio of new recordings is encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EncryptionMode {
    /// By the store, under a key that the store's provider manages.
    #[default]
    Provider,
    /// By Ringfence, before it reaches the store: a data key for each recording.
    Client,
    /// In the same way, with data keys that only the customer's own RSA key opens.
    Customer,
}

impl EncryptionMode {
    /// Whether Ringfence encrypts.
    pub const fn is_sealed(self) -> bool {
        matches!(self, Self::Client | Self::Customer)
    }
}

const ACCESS: [(&str, Access); 3] = [
    ("open", Access::Open),
    ("pin", Access::Pin),
    ("login", Access::Login),
];
const ENCRYPTION: [(&str, EncryptionMode); 3] = [
    ("provider", EncryptionMode::Provider),
    ("client", EncryptionMode::Client),
    ("customer", EncryptionMode::Customer),
];

/// A recordings document of an account or agency.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Recordings {
    /// In an agency's document: whether accounts may set otherwise what the agency sets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    allow_override: Option<bool>,
    /// Days; 0: for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    link_days: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    access: Option<Access>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pin: Option<StoredPin>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    encryption: Option<EncryptionMode>,
    /// Days after which recordings are deleted; `None`: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retention_days: Option<u16>,
    /// The same for those with a label. The shortest that applies wins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retention_by_tag: Option<BTreeMap<String, u16>>,
    /// PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    public_key: Option<String>,
    /// The ARN of a KMS key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kms_key: Option<String>,
    /// Links made at this instant or before had ended when the days were raised, and stay so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    links_ended: Option<Timestamp>,
    /// In an agency's document: the same for the accounts that did not set days of their own, from a
    /// time when they might have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    default_links_ended: Option<Timestamp>,
}

impl Recordings {
    fn with_pin(&self, pin: impl Fn(&StoredPin) -> Value) -> Result<Value, StoreError> {
        let mut value = to_value(&Self {
            pin: None,
            links_ended: None,
            default_links_ended: None,
            ..self.clone()
        })?;
        if let (Some(stored), Some(fields)) = (&self.pin, value.as_object_mut()) {
            fields.insert("pin".to_owned(), pin(stored));
        }
        Ok(value)
    }

    /// Whether it says anything of how long recordings are kept.
    fn ends_anything(&self) -> bool {
        self.retention_days.is_some() || self.retention_by_tag.is_some()
    }

    fn may_override(&self) -> bool {
        self.allow_override.unwrap_or(false)
    }
}

impl Document for Recordings {
    const AREA: &'static str = "recordings";

    fn shown(&self) -> Result<Value, StoreError> {
        self.with_pin(|_| KEEP.into())
    }

    // A PIN has too few digits for a commitment to be worth keeping: its version tells that it changed.
    fn recorded(&self) -> Result<Value, StoreError> {
        self.with_pin(|pin| json!({ "version": pin.version }))
    }
}

/// What a document says of the PIN.
enum GivenPin {
    None,
    Keep,
    New(Pin),
}

fn parse(document: Value, agency: bool, errors: &mut Errors) -> (Recordings, GivenPin) {
    let mut parsed = Recordings::default();
    let mut pin = GivenPin::None;
    let Some(mut object) = Object::read("", document, errors) else {
        return (parsed, pin);
    };
    if agency {
        parsed.allow_override = object.bool("allow_override");
    }
    parsed.link_days = object.number("link_days", 0..=MAX_LINK_DAYS);
    parsed.access = one_of(&mut object, "access", &ACCESS);
    parsed.encryption = one_of(&mut object, "encryption", &ENCRYPTION);
    parsed.retention_days = object.number("retention_days", 1..=MAX_RETENTION_DAYS);
    parsed.retention_by_tag = retention_by_tag(&mut object);
    if let Some(pem) = object.string("public_key") {
        match CustomerKey::from_pem(&pem) {
            Ok(_) => parsed.public_key = Some(pem),
            Err(error) => object.wrong("public_key", "invalid_public_key", error.to_string()),
        }
    }
    if let Some(arn) = object.string("kms_key") {
        if is_kms_key_arn(&arn) {
            parsed.kms_key = Some(arn);
        } else {
            let reason =
                "must be the ARN of a KMS key: arn:aws:kms:{region}:{account}:key/{key id}";
            object.wrong("kms_key", "invalid_kms_key", reason);
        }
    }
    if let Some(text) = object.string("pin") {
        pin = match Pin::parse(&text) {
            _ if text == KEEP => GivenPin::Keep,
            Some(pin) => GivenPin::New(pin),
            None => {
                let reason =
                    format!("must be {MIN_PIN_DIGITS} to {MAX_PIN_DIGITS} digits, as a string");
                object.wrong("pin", "invalid_pin", reason);
                GivenPin::None
            }
        };
    }
    object.finish();
    (parsed, pin)
}

fn retention_by_tag(object: &mut Object<'_>) -> Option<BTreeMap<String, u16>> {
    const NAME: &str = "retention_by_tag";
    let Value::Object(fields) = object.take(NAME)? else {
        object.wrong(
            NAME,
            "not_an_object",
            "must be an object of labels and days",
        );
        return None;
    };
    if fields.is_empty() {
        return None;
    }
    if fields.len() > MAX_RETENTION_TAGS {
        let reason = format!("must have at most {MAX_RETENTION_TAGS} labels");
        object.wrong(NAME, "too_many", reason);
        return None;
    }
    let mut days_of = BTreeMap::new();
    for (tag, value) in fields {
        let days = value
            .as_u64()
            .and_then(|days| u16::try_from(days).ok())
            .filter(|days| (1..=MAX_RETENTION_DAYS).contains(days));
        match days {
            Some(days) if (1..=MAX_TAG_BYTES).contains(&tag.len()) => {
                days_of.insert(tag, days);
            }
            _ => {
                let reason = format!(
                    "each must be a label of 1 to {MAX_TAG_BYTES} bytes with a whole number of days \
                     from 1 to {MAX_RETENTION_DAYS}"
                );
                object.wrong(NAME, "invalid_value", reason);
                return None;
            }
        }
    }
    Some(days_of)
}

fn one_of<T: Copy>(object: &mut Object<'_>, name: &'static str, values: &[(&str, T)]) -> Option<T> {
    let text = object.string(name)?;
    let found = values.iter().find(|(known, _)| *known == text);
    if found.is_none() {
        let known: Vec<_> = values.iter().map(|(known, _)| *known).collect();
        object.wrong(
            name,
            "unknown_value",
            format!("must be one of {}", known.join(", ")),
        );
    }
    found.map(|(_, value)| *value)
}

/// The recording settings in force, to be shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EffectiveRecordings {
    /// For how many days a link works; 0: for ever.
    pub link_days: Sourced<u16>,
    /// What a link asks.
    pub access: Sourced<Access>,
    /// `***` where there is one.
    pub pin: Sourced<Option<&'static str>>,
    /// How new audio is encrypted.
    pub encryption: Sourced<EncryptionMode>,
    /// Days after which recordings are deleted; null: never.
    pub retention_days: Sourced<Option<u16>>,
    /// The same for those with a label. The shortest that applies wins.
    pub retention_by_tag: Sourced<Option<BTreeMap<String, u16>>>,
    /// The customer's public key, PEM.
    pub public_key: Sourced<Option<String>>,
    /// The KMS key that the store encrypts new audio with, where encryption is provider; null: its own.
    pub kms_key: Sourced<Option<String>>,
}

/// What playback and links need to know of an account. Cached for seconds
/// ([`crate::app::CACHE_TTL`]).
#[derive(Debug)]
pub struct RecordingRules {
    /// The account.
    pub account: String,
    /// For how many days a link works; 0: for ever.
    pub link_days: u16,
    /// Links made at this instant or before have ended whatever the days say now.
    pub links_ended: Option<Timestamp>,
    /// What a link asks.
    pub access: Access,
    /// The PIN in force, and whose it is.
    pub pin: Option<(String, StoredPin)>,
    /// How new audio is encrypted.
    pub encryption: EncryptionMode,
    /// Days after which recordings are deleted; `None`: never.
    pub retention_days: Option<u16>,
    /// The same for those with a label. The shortest that applies wins.
    pub retention_by_tag: BTreeMap<String, u16>,
    /// The customer's public key, PEM.
    pub public_key: Option<String>,
    /// The ARN of the KMS key that the store encrypts new audio with, where encryption is provider; `None`:
    /// its own.
    pub kms_key: Option<String>,
}

impl RecordingRules {
    /// When a link made at `created_at` and stored to end at `stored` ends; `None`: never.
    pub fn link_ends(&self, created_at: Timestamp, stored: Option<Timestamp>) -> Option<Timestamp> {
        let ended = self.links_ended.filter(|ended| created_at <= *ended);
        [stored, days_after(created_at, self.link_days), ended]
            .into_iter()
            .flatten()
            .min()
    }

    /// The KMS key that the store is to encrypt the audio of a recording with that is encrypted like this;
    /// `None`: its own. What Ringfence encrypted needs no other.
    pub(crate) fn store_key(&self, encryption: EncryptionMode) -> Option<String> {
        match encryption {
            EncryptionMode::Provider => self.kms_key.clone(),
            EncryptionMode::Client | EncryptionMode::Customer => None,
        }
    }
}

/// `days` after `at`; `None`: never.
pub(crate) fn days_after(at: Timestamp, days: u16) -> Option<Timestamp> {
    if days == 0 {
        return None;
    }
    let span = SignedDuration::from_hours(24 * i64::from(days));
    Some(at.checked_add(span).unwrap_or(Timestamp::MAX))
}

fn days_before(at: Timestamp, days: u16) -> Option<Timestamp> {
    let span = SignedDuration::from_hours(24 * i64::from(days));
    (days > 0).then(|| at.checked_sub(span).unwrap_or(Timestamp::MIN))
}

fn link_days(account: &Recordings, agency: &Recordings) -> Sourced<u16> {
    choose(
        account.link_days.as_ref(),
        agency.link_days.as_ref(),
        agency.may_override(),
    )
    .unwrap_or(Sourced::default_of(DEFAULT_LINK_DAYS))
}

fn resolve(account: &Recordings, agency: &Recordings) -> EffectiveRecordings {
    let may_override = agency.may_override();
    EffectiveRecordings {
        link_days: link_days(account, agency),
        access: choose(
            account.access.as_ref(),
            agency.access.as_ref(),
            may_override,
        )
        .unwrap_or(Sourced::default_of(Access::default())),
        pin: Sourced::optional(
            choose(account.pin.as_ref(), agency.pin.as_ref(), may_override).map(|pin| Sourced {
                value: KEEP,
                from: pin.from,
            }),
        ),
        encryption: choose(
            account.encryption.as_ref(),
            agency.encryption.as_ref(),
            may_override,
        )
        .unwrap_or(Sourced::default_of(EncryptionMode::default())),
        retention_days: Sourced::optional(choose(
            account.retention_days.as_ref(),
            agency.retention_days.as_ref(),
            may_override,
        )),
        retention_by_tag: Sourced::optional(choose(
            account.retention_by_tag.as_ref(),
            agency.retention_by_tag.as_ref(),
            may_override,
        )),
        public_key: Sourced::optional(choose(
            account.public_key.as_ref(),
            agency.public_key.as_ref(),
            may_override,
        )),
        kms_key: Sourced::optional(choose(
            account.kms_key.as_ref(),
            agency.kms_key.as_ref(),
            may_override,
        )),
    }
}

fn rules(account: &super::Account, own: &Recordings, agency: &Recordings) -> RecordingRules {
    let effective = resolve(own, agency);
    let pin = match effective.pin.from {
        Origin::Account => own.pin.clone().map(|pin| (account.id.clone(), pin)),
        _ => agency.pin.clone().map(|pin| (account.agency.clone(), pin)),
    };
    let of_default = agency
        .default_links_ended
        .filter(|_| effective.link_days.from != Origin::Account);
    RecordingRules {
        account: account.id.clone(),
        link_days: effective.link_days.value,
        links_ended: own.links_ended.max(agency.links_ended).max(of_default),
        access: effective.access.value,
        pin,
        encryption: effective.encryption.value,
        retention_days: effective.retention_days.value,
        retention_by_tag: effective.retention_by_tag.value.unwrap_or_default(),
        public_key: effective.public_key.value,
        kms_key: effective.kms_key.value,
    }
}

/// Whether links live longer under `after` days than under `before`.
fn is_longer(before: u16, after: u16) -> bool {
    before != 0 && (after == 0 || after > before)
}

impl App {
    /// The recordings document as it is shown.
    pub async fn recordings_document(
        &self,
        tenant: &Tenant,
    ) -> Result<Versioned<Value>, StoreError> {
        let document = self.document::<Recordings>(tenant).await?;
        Ok(Versioned {
            value: document.value.shown()?,
            version: document.version,
        })
    }

    /// The recording settings in force, with where each value comes from.
    pub async fn effective_recordings(
        &self,
        tenant: &Tenant,
    ) -> Result<EffectiveRecordings, StoreError> {
        let (account, agency) = self.documents(tenant).await?;
        Ok(resolve(&account, &agency))
    }

    /// Saves a recordings document over `version`.
    ///
    /// Fewer days end links that were made before; more days never bring back one that had ended. A
    /// PIN that is given, even the same one again, ends every cookie that the old one opened.
    pub async fn save_recordings(
        &self,
        tenant: &Tenant,
        version: u64,
        edit: Edit,
        actor: &Actor,
    ) -> Result<Versioned<Value>, SettingsError> {
        let before: Recordings = self.document_at(tenant, version).await?;
        let mut errors = Errors::default();
        let (mut after, pin) = parse(edit.apply(&before)?, tenant.is_agency(), &mut errors);
        let agency = match tenant {
            Tenant::Agency(_) => Recordings::default(),
            Tenant::Account(_) => self.documents::<Recordings>(tenant).await?.1,
        };
        let has_pin = match &pin {
            GivenPin::New(_) => true,
            GivenPin::Keep => before.pin.is_some(),
            GivenPin::None => false,
        };
        if matches!(pin, GivenPin::Keep) && !has_pin {
            errors.push(
                "pin",
                "value_needed",
                "no PIN is stored that could be kept: send one",
            );
        }
        // An agency may leave the PIN to its accounts.
        if !tenant.is_agency()
            && after.access == Some(Access::Pin)
            && !has_pin
            && agency.pin.is_none()
        {
            errors.push("pin", "required", "is required where access is pin");
        }
        // So may it leave the key.
        if !tenant.is_agency()
            && after.encryption == Some(EncryptionMode::Customer)
            && after.public_key.is_none()
            && agency.public_key.is_none()
        {
            errors.push(
                "public_key",
                "required",
                "is required where encryption is customer",
            );
        }
        errors.into_result(())?;
        after.pin = match pin {
            GivenPin::None => None,
            GivenPin::Keep => before.pin.clone(),
            GivenPin::New(pin) => Some(self.store_pin(tenant.id(), pin).await?),
        };
        self.note_ended_links(tenant, &agency, &before, &mut after);
        let mut beside = Beside::default();
        let retention = |document: &Recordings| {
            (
                document.retention_days,
                document.retention_by_tag.clone(),
                document.may_override(),
            )
        };
        if retention(&before) != retention(&after)
            && (before.ends_anything() || after.ends_anything())
        {
            beside.ops.push(self.retention_op(tenant.id())?);
        }
        let version = self
            .commit_document(tenant, version, &before, &after, beside, actor)
            .await?;
        Ok(Versioned {
            value: after.shown()?,
            version,
        })
    }

    /// Remembers which links had ended under the days before, so that more days bring none back.
    fn note_ended_links(
        &self,
        tenant: &Tenant,
        agency: &Recordings,
        before: &Recordings,
        after: &mut Recordings,
    ) {
        let now = self.clock.now();
        after.links_ended = before.links_ended;
        after.default_links_ended = before.default_links_ended;
        if tenant.is_agency() {
            let none = Recordings::default();
            let days = |agency| link_days(&none, agency).value;
            let is_released = after.may_override() && !before.may_override();
            if is_longer(days(before), days(after)) || (is_released && before.link_days.is_some()) {
                let ended = days_before(now, days(before));
                if before.link_days.is_some() && !before.may_override() {
                    after.links_ended = before.links_ended.max(ended);
                } else {
                    after.default_links_ended = before.default_links_ended.max(ended);
                }
            }
        } else {
            let old = link_days(before, agency).value;
            if is_longer(old, link_days(after, agency).value) {
                after.links_ended = before.links_ended.max(days_before(now, old));
            }
        }
    }

    /// What playback and links need to know of an account, from memory for up to
    /// [`CACHE_TTL`](crate::app::CACHE_TTL); `None`: there is no such account.
    pub async fn recording_rules(
        &self,
        account: &str,
    ) -> Result<Option<std::sync::Arc<RecordingRules>>, StoreError> {
        self.rules
            .get(account, self.clock.now(), || self.load_rules(account))
            .await
    }

    /// The same as it is stored now.
    pub(crate) async fn load_rules(
        &self,
        account: &str,
    ) -> Result<Option<RecordingRules>, StoreError> {
        let Some(account) = self.find_account(account).await? else {
            return Ok(None);
        };
        let account = account.value;
        let keys: [Key; 2] = [
            keyspace::settings(&account.id, Recordings::AREA),
            keyspace::settings(&account.agency, Recordings::AREA),
        ];
        let mut rows = self.table.get_many(&keys).await?.into_iter();
        let mut next = || match rows.next().flatten() {
            Some(row) => parse_doc::<Recordings>(&row.doc),
            None => Ok(Recordings::default()),
        };
        let (own, agency) = (next()?, next()?);
        Ok(Some(rules(&account, &own, &agency)))
    }
}
