//! The callbacks document: for each callback where to, how, how fast and in which format.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use ringfence_ports::{Keys, KeysError, StoreError};
use ringfence_webhook::{
    ExtraHeaders, HeaderError, Target,
    headers::{MAX_EXTRA_HEADERS, validate_header},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    EndpointKind, KEEP,
    document::Document,
    error::{FieldError, SettingsError},
    fields::{Errors, Object},
    resolve::{Origin, Sourced, choose},
    tenant::Tenant,
};
use crate::{
    App,
    event::{EventType, body::BodyFormat},
};

/// The most requests a second that may be set.
pub const MAX_RATE_PER_SECOND: u16 = 10_000;
/// The most requests at a time that may be set.
pub const MAX_CONCURRENCY: u16 = 256;
/// The longest timeout that may be set, in seconds.
pub const MAX_TIMEOUT_SECONDS: u16 = 30;
/// Requests at a time where nothing is set.
pub const DEFAULT_CONCURRENCY: u16 = 32;
/// The timeout where nothing is set, in seconds.
pub const DEFAULT_TIMEOUT_SECONDS: u16 = 15;
/// The most bytes that the names and values of one callback's extra headers have together, as JSON:
/// what the key service seals in one piece.
pub const MAX_HEADERS_BYTES: usize = 4096;

/// For how long saving waits for a name to be resolved.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(5);

/// What is set for one callback; what is `None` is not set here. `H` is the form of the headers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Callback<H> {
    /// Where to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Whether it is on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Extra headers. They go to the URL of the same document and to no other.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub headers: Option<H>,
    /// Only these types.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<Vec<EventType>>,
    /// The most requests a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_per_second: Option<u16>,
    /// The most requests at a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u16>,
    /// For the whole of an attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u16>,
    /// The format of the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<BodyFormat>,
    /// In an agency's document: whether accounts may set this callback otherwise; wins over the
    /// document's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_override: Option<bool>,
}

// `#[serde(default)]` on a generic field would ask for `H: Default`.
fn none<T>() -> Option<T> {
    None
}

impl<H> Default for Callback<H> {
    fn default() -> Self {
        Self {
            url: None,
            enabled: None,
            headers: None,
            events: None,
            rate_per_second: None,
            concurrency: None,
            timeout_seconds: None,
            format: None,
            allow_override: None,
        }
    }
}

impl<H> Callback<H> {
    /// The same with its headers in another form.
    fn with_headers<G>(&self, headers: Option<G>) -> Callback<G> {
        Callback {
            url: self.url.clone(),
            enabled: self.enabled,
            headers,
            events: self.events.clone(),
            rate_per_second: self.rate_per_second,
            concurrency: self.concurrency,
            timeout_seconds: self.timeout_seconds,
            format: self.format,
            allow_override: self.allow_override,
        }
    }
}

/// A callbacks document of an account or agency.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Callbacks<H = SealedHeaders> {
    /// In an agency's document: whether accounts may set otherwise what the agency sets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_override: Option<bool>,
    /// What is set, by callback.
    #[serde(flatten)]
    pub callbacks: BTreeMap<EndpointKind, Callback<H>>,
}

impl<H> Default for Callbacks<H> {
    fn default() -> Self {
        Self {
            allow_override: None,
            callbacks: BTreeMap::new(),
        }
    }
}

impl<H> Callbacks<H> {
    /// Whether the callback has a URL and is not switched off.
    pub(super) fn is_open(&self, kind: EndpointKind) -> bool {
        self.callbacks
            .get(&kind)
            .is_some_and(|callback| callback.url.is_some() && callback.enabled != Some(false))
    }

    /// The URL of a callback, if one is set.
    pub(super) fn url(&self, kind: EndpointKind) -> Option<&str> {
        self.callbacks.get(&kind)?.url.as_deref()
    }

    fn map_headers<G>(&self, form: impl Fn(&H) -> G) -> Callbacks<G> {
        Callbacks {
            allow_override: self.allow_override,
            callbacks: self
                .callbacks
                .iter()
                .map(|(kind, callback)| {
                    (
                        *kind,
                        callback.with_headers(callback.headers.as_ref().map(&form)),
                    )
                })
                .collect(),
        }
    }
}

/// The extra headers of one callback as they are stored: names and commitments in the clear, values
/// sealed together.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct SealedHeaders {
    /// For each name (lower case) a commitment to its value.
    names: BTreeMap<String, String>,
    /// The sealed JSON of names and values, in base64.
    sealed: String,
}

impl fmt::Debug for SealedHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SealedHeaders").field(&self.names).finish()
    }
}

/// Extra headers as somebody sends them: by lower-case name the value, or `***` for the stored one.
/// `Debug` shows no value.
#[derive(Clone, Default, PartialEq)]
pub(super) struct HeaderValues(BTreeMap<String, String>);

impl fmt::Debug for HeaderValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

fn headers_context(owner: &str, kind: EndpointKind) -> String {
    format!("{owner}/headers/{}", kind.as_str())
}

impl SealedHeaders {
    async fn open(
        &self,
        keys: &dyn Keys,
        owner: &str,
        kind: EndpointKind,
    ) -> Result<BTreeMap<String, String>, KeysError> {
        let sealed = STANDARD
            .decode(&self.sealed)
            .map_err(|_| KeysError::Refused)?;
        let plain = keys.open(&headers_context(owner, kind), &sealed).await?;
        serde_json::from_slice(&plain).map_err(|_| KeysError::Refused)
    }

    /// The headers ready to be sent.
    pub(super) async fn open_extra(
        &self,
        keys: &dyn Keys,
        owner: &str,
        kind: EndpointKind,
    ) -> Result<ExtraHeaders, KeysError> {
        let values = self.open(keys, owner, kind).await?;
        ExtraHeaders::new(
            values
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str())),
        )
        .map_err(|_| KeysError::Refused)
    }
}

impl Document for Callbacks {
    const AREA: &'static str = "callbacks";

    fn shown(&self) -> Result<Value, StoreError> {
        crate::access::to_value(&self.map_headers(|headers| {
            headers
                .names
                .keys()
                .map(|name| (name.clone(), KEEP))
                .collect::<BTreeMap<_, _>>()
        }))
    }

    fn recorded(&self) -> Result<Value, StoreError> {
        crate::access::to_value(&self.map_headers(|headers| headers.names.clone()))
    }
}

/// Reads a document that somebody sent. Everything but where URLs lead is checked here.
pub(super) fn parse(document: Value, agency: bool, errors: &mut Errors) -> Callbacks<HeaderValues> {
    let mut parsed = Callbacks::default();
    let Some(mut object) = Object::read("", document, errors) else {
        return parsed;
    };
    if agency {
        parsed.allow_override = object.bool("allow_override");
    }
    for kind in EndpointKind::ALL {
        let path = object.path_of(kind.as_str());
        if let Some(value) = object.take(kind.as_str())
            && let Some(callback) = Object::read(&path, value, object.errors())
        {
            let callback = parse_callback(kind, callback, agency);
            // `{}` sets nothing, as if it were not there.
            if callback != Callback::default() {
                parsed.callbacks.insert(kind, callback);
            }
        }
    }
    object.finish();
    parsed
}

fn parse_callback(
    kind: EndpointKind,
    mut object: Object<'_>,
    agency: bool,
) -> Callback<HeaderValues> {
    let mut callback = Callback {
        url: object.string("url"),
        enabled: object.bool("enabled"),
        headers: parse_headers(&mut object),
        events: parse_events(kind, &mut object),
        rate_per_second: object.number("rate_per_second", 1..=MAX_RATE_PER_SECOND),
        concurrency: object.number("concurrency", 1..=MAX_CONCURRENCY),
        timeout_seconds: object.number("timeout_seconds", 1..=MAX_TIMEOUT_SECONDS),
        format: parse_format(kind, &mut object),
        allow_override: None,
    };
    if agency {
        callback.allow_override = object.bool("allow_override");
    }
    object.finish();
    callback
}

fn parse_headers(object: &mut Object<'_>) -> Option<HeaderValues> {
    let value = object.take("headers")?;
    let Value::Object(fields) = value else {
        object.wrong(
            "headers",
            "not_an_object",
            "must be an object of names and values",
        );
        return None;
    };
    let mut headers = BTreeMap::new();
    if fields.len() > MAX_EXTRA_HEADERS {
        object.wrong("headers", "too_many", HeaderError::TooMany.to_string());
        return None;
    }
    for (name, value) in fields {
        let shown: String = name.chars().take(64).collect();
        let path = format!("headers.{shown}");
        let value = match value {
            Value::Null => continue,
            Value::String(value) => value,
            _ => {
                object.wrong(&path, "not_a_string", "must be a string");
                continue;
            }
        };
        match validate_header(&name, &value) {
            Err(error) => object.wrong(&path, header_code(error), error.to_string()),
            Ok((name, _)) => {
                if headers.insert(name.as_str().to_owned(), value).is_some() {
                    object.wrong(
                        &path,
                        "duplicate_header",
                        HeaderError::Duplicate.to_string(),
                    );
                }
            }
        }
    }
    (!headers.is_empty()).then_some(HeaderValues(headers))
}

const fn header_code(error: HeaderError) -> &'static str {
    match error {
        HeaderError::Name => "invalid_header_name",
        HeaderError::Reserved => "reserved_header",
        HeaderError::Value => "invalid_header_value",
        HeaderError::Duplicate => "duplicate_header",
        HeaderError::TooMany => "too_many",
    }
}

fn event_types(kind: EndpointKind) -> Vec<EventType> {
    EventType::ALL
        .into_iter()
        .filter(|event| EndpointKind::from(event.kind()) == kind)
        .collect()
}

fn parse_events(kind: EndpointKind, object: &mut Object<'_>) -> Option<Vec<EventType>> {
    let value = object.take("events")?;
    if kind == EndpointKind::Operational {
        object.wrong(
            "events",
            "not_filtered",
            "operational events are not filtered; leave this out",
        );
        return None;
    }
    let Value::Array(items) = value else {
        object.wrong("events", "not_a_list", "must be a list of event types");
        return None;
    };
    if items.is_empty() {
        object.wrong(
            "events",
            "empty",
            "name at least one type, or leave this out to get all",
        );
        return None;
    }
    let known = event_types(kind);
    let mut chosen = BTreeSet::new();
    for (place, item) in items.iter().enumerate() {
        let wanted = item.as_str();
        if let Some(event) = known.iter().find(|event| Some(event.as_str()) == wanted) {
            chosen.insert(*event);
        } else {
            let names: Vec<_> = known.iter().map(|event| event.as_str()).collect();
            let reason = format!(
                "must be a type that this callback carries: {}",
                names.join(", ")
            );
            object.wrong(&format!("events.{place}"), "unknown_event", reason);
        }
    }
    Some(chosen.into_iter().collect())
}

fn parse_format(kind: EndpointKind, object: &mut Object<'_>) -> Option<BodyFormat> {
    let name = object.string("format")?;
    let format = serde_json::from_value(Value::String(name)).ok();
    match format {
        None => {
            object.wrong(
                "format",
                "unknown_format",
                "must be ringfence, cloudevents, i8 or i8_form",
            );
            None
        }
        // The other formats have no place for what Ringfence itself has to say.
        Some(format) if kind == EndpointKind::Operational && format != BodyFormat::Ringfence => {
            object.wrong(
                "format",
                "unknown_format",
                "operational events have the format ringfence",
            );
            None
        }
        format => format,
    }
}

/// The names of headers carry no case: a patch of `X-Api-Key` is one of `x-api-key`.
pub(super) fn fold_header_names(patch: &mut Value) -> Result<(), SettingsError> {
    let mut errors = Errors::default();
    for kind in EndpointKind::ALL {
        let headers = patch
            .get_mut(kind.as_str())
            .and_then(|callback| callback.get_mut("headers"))
            .and_then(Value::as_object_mut);
        let Some(headers) = headers else { continue };
        for (name, value) in std::mem::take(headers) {
            if headers.insert(name.to_ascii_lowercase(), value).is_some() {
                let field = format!("{}.headers", kind.as_str());
                errors.push(
                    field,
                    "duplicate_header",
                    HeaderError::Duplicate.to_string(),
                );
            }
        }
    }
    errors.into_result(())
}

impl App {
    /// Checks where the URLs of `new` lead. The name of a URL that is not `old`'s is resolved.
    pub(super) async fn vet_urls(
        &self,
        new: &Callbacks<HeaderValues>,
        old: &Callbacks,
        errors: &mut Errors,
    ) -> BTreeMap<EndpointKind, Target> {
        let vetted = new.callbacks.iter().filter_map(|(kind, callback)| {
            let url = callback.url.as_deref()?;
            Some(async move { (*kind, self.vet_url(*kind, url, old.url(*kind)).await) })
        });
        let mut targets = BTreeMap::new();
        for (kind, result) in futures_util::future::join_all(vetted).await {
            match result {
                Ok(target) => {
                    targets.insert(kind, target);
                }
                Err(error) => errors.extend(vec![error]),
            }
        }
        targets
    }

    async fn vet_url(
        &self,
        kind: EndpointKind,
        url: &str,
        old: Option<&str>,
    ) -> Result<Target, FieldError> {
        let wrong = |code, reason: String| FieldError {
            field: format!("{}.url", kind.as_str()),
            code,
            reason,
        };
        let policy = self.sender.policy();
        let target =
            Target::parse(url, policy).map_err(|error| wrong("url_refused", error.to_string()))?;
        if old != Some(url) {
            let found = target.addresses(policy, self.sender.resolver());
            match tokio::time::timeout(RESOLVE_TIMEOUT, found).await {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => return Err(wrong("url_refused", error.to_string())),
                Err(_) => {
                    return Err(wrong(
                        "url_refused",
                        "the host name could not be resolved in time".to_owned(),
                    ));
                }
            }
        }
        Ok(target)
    }

    /// Seals the headers of `new`; `***` takes the value that `old` has.
    pub(super) async fn seal_headers(
        &self,
        tenant: &Tenant,
        new: &Callbacks<HeaderValues>,
        old: &Callbacks,
        targets: &BTreeMap<EndpointKind, Target>,
        errors: &mut Errors,
    ) -> Result<Callbacks, SettingsError> {
        let mut sealed = Callbacks {
            allow_override: new.allow_override,
            callbacks: BTreeMap::new(),
        };
        for (kind, callback) in &new.callbacks {
            let stored = old
                .callbacks
                .get(kind)
                .and_then(|callback| callback.headers.as_ref());
            let headers = match &callback.headers {
                None => None,
                Some(values) => {
                    // A value that nobody may read must not be sent elsewhere by somebody who does not
                    // know it.
                    let before = old
                        .url(*kind)
                        .and_then(|url| Target::parse(url, self.sender.policy()).ok());
                    let moved = targets
                        .get(kind)
                        .is_some_and(|target| before.as_ref().map(origin) != Some(origin(target)));
                    self.seal(tenant.id(), *kind, values, stored, moved, errors)
                        .await?
                }
            };
            sealed
                .callbacks
                .insert(*kind, callback.with_headers(headers));
        }
        Ok(sealed)
    }

    async fn seal(
        &self,
        owner: &str,
        kind: EndpointKind,
        given: &HeaderValues,
        stored: Option<&SealedHeaders>,
        moved: bool,
        errors: &mut Errors,
    ) -> Result<Option<SealedHeaders>, SettingsError> {
        let keeps = given.0.values().any(|value| value == KEEP);
        let mut kept = match stored {
            Some(stored) if keeps => stored.open(&*self.keys, owner, kind).await?,
            _ => BTreeMap::new(),
        };
        let context = headers_context(owner, kind);
        let mut names = BTreeMap::new();
        let mut values = BTreeMap::new();
        for (name, value) in &given.0 {
            let path = || format!("{}.headers.{name}", kind.as_str());
            let value = if value != KEEP {
                value.clone()
            } else if let Some(value) = kept.remove(name) {
                if moved {
                    errors.push(
                        path(),
                        "value_needed",
                        "the URL now leads to another host: send the value again, or remove the header",
                    );
                }
                value
            } else {
                errors.push(
                    path(),
                    "value_needed",
                    "no value is stored that could be kept: send one",
                );
                continue;
            };
            let commitment = self
                .commitment(&format!("{context}/{name}"), value.as_bytes())
                .await?;
            names.insert(name.clone(), commitment);
            values.insert(name.clone(), value);
        }
        let plain = crate::access::to_doc(&values)?;
        if plain.len() > MAX_HEADERS_BYTES {
            let reason = format!("names and values may have {MAX_HEADERS_BYTES} bytes together");
            errors.push(format!("{}.headers", kind.as_str()), "too_large", reason);
            return Ok(None);
        }
        if let Some(stored) = stored
            && stored.names == names
        {
            return Ok(Some(stored.clone()));
        }
        let sealed = self.keys.seal(&context, plain.as_bytes()).await?;
        Ok(Some(SealedHeaders {
            names,
            sealed: STANDARD.encode(sealed),
        }))
    }
}

/// Scheme, host and port.
fn origin(target: &Target) -> &str {
    let url = target.as_str();
    let authority = url.find("://").map_or(0, |at| at + 3);
    let end = url
        .get(authority..)
        .and_then(|rest| rest.find(['/', '?']))
        .map_or(url.len(), |at| authority + at);
    url.get(..end).unwrap_or(url)
}

/// One callback as it is in force, with where each value comes from.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Resolved {
    pub(super) url: Option<Sourced<String>>,
    pub(super) enabled: Sourced<bool>,
    pub(super) headers: Option<Sourced<SealedHeaders>>,
    pub(super) events: Option<Sourced<Vec<EventType>>>,
    pub(super) rate_per_second: Option<Sourced<u16>>,
    pub(super) concurrency: Sourced<u16>,
    pub(super) timeout_seconds: Sourced<u16>,
    pub(super) format: Sourced<BodyFormat>,
}

/// Which of two documents wins, value by value. URL, headers and the secret that signs stay together:
/// whoever names the receiver says what it is sent.
pub(super) fn resolve(kind: EndpointKind, account: &Callbacks, agency: &Callbacks) -> Resolved {
    let nothing = Callback::default();
    let own = account.callbacks.get(&kind).unwrap_or(&nothing);
    let parent = agency.callbacks.get(&kind).unwrap_or(&nothing);
    let may_override = parent
        .allow_override
        .or(agency.allow_override)
        .unwrap_or(false);
    let url = choose(own.url.as_ref(), parent.url.as_ref(), may_override);
    let headers = match url.as_ref().map(|url| url.from) {
        Some(Origin::Account) => own.headers.clone().map(|value| Sourced {
            value,
            from: Origin::Account,
        }),
        Some(Origin::Agency) => parent.headers.clone().map(|value| Sourced {
            value,
            from: Origin::Agency,
        }),
        _ => None,
    };
    Resolved {
        enabled: choose(own.enabled.as_ref(), parent.enabled.as_ref(), may_override)
            .unwrap_or(Sourced::default_of(url.is_some())),
        headers,
        events: choose(own.events.as_ref(), parent.events.as_ref(), may_override),
        rate_per_second: choose(
            own.rate_per_second.as_ref(),
            parent.rate_per_second.as_ref(),
            may_override,
        ),
        concurrency: choose(
            own.concurrency.as_ref(),
            parent.concurrency.as_ref(),
            may_override,
        )
        .unwrap_or(Sourced::default_of(DEFAULT_CONCURRENCY)),
        timeout_seconds: choose(
            own.timeout_seconds.as_ref(),
            parent.timeout_seconds.as_ref(),
            may_override,
        )
        .unwrap_or(Sourced::default_of(DEFAULT_TIMEOUT_SECONDS)),
        format: choose(own.format.as_ref(), parent.format.as_ref(), may_override)
            .unwrap_or(Sourced::default_of(BodyFormat::default())),
        url,
    }
}

/// One callback as it is in force, to be shown.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EffectiveCallback {
    /// Where to; null: nowhere.
    pub url: Sourced<Option<String>>,
    /// Whether it is on.
    pub enabled: Sourced<bool>,
    /// Extra headers, their values as `***`.
    pub headers: Sourced<BTreeMap<String, &'static str>>,
    /// The types that it gets. Empty for operational events, which are not filtered.
    pub events: Sourced<Vec<EventType>>,
    /// The most requests a second; null: no limit.
    pub rate_per_second: Sourced<Option<u16>>,
    /// The most requests at a time.
    pub concurrency: Sourced<u16>,
    /// For the whole of an attempt.
    pub timeout_seconds: Sourced<u16>,
    /// The format of the body.
    pub format: Sourced<BodyFormat>,
    /// Whose signing secret signs: that of the owner of the URL. `None`: there is no URL.
    pub signed_by: Option<Origin>,
}

/// Both documents resolved, to be shown.
pub(super) fn effective(
    account: &Callbacks,
    agency: &Callbacks,
) -> BTreeMap<EndpointKind, EffectiveCallback> {
    EndpointKind::ALL
        .into_iter()
        .map(|kind| {
            let resolved = resolve(kind, account, agency);
            let shown = EffectiveCallback {
                signed_by: resolved.url.as_ref().map(|url| url.from),
                url: Sourced::optional(resolved.url),
                enabled: resolved.enabled,
                headers: resolved.headers.map_or_else(
                    || Sourced::default_of(BTreeMap::new()),
                    |headers| Sourced {
                        value: headers
                            .value
                            .names
                            .into_keys()
                            .map(|name| (name, KEEP))
                            .collect(),
                        from: headers.from,
                    },
                ),
                events: resolved
                    .events
                    .unwrap_or_else(|| Sourced::default_of(event_types(kind))),
                rate_per_second: Sourced::optional(resolved.rate_per_second),
                concurrency: resolved.concurrency,
                timeout_seconds: resolved.timeout_seconds,
                format: resolved.format,
            };
            (kind, shown)
        })
        .collect()
}
