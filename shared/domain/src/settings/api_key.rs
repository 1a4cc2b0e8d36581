//! API keys that people make for an agency or account.

use jiff::Timestamp;
use ringfence_ports::StoreError;
use serde_json::Value;

use super::{
    error::SettingsError,
    fields::{Errors, Object},
    tenant::{Listed, Tenant, name_fault},
};
use crate::{
    App,
    access::{ApiKey, ApiKeySecret, Caller, ListedKey, Principal, Scope},
    keyspace,
};

/// A key that somebody asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KeyRequest {
    /// What people call it.
    pub name: String,
    /// What it allows: at least one scope, each once.
    pub scopes: Vec<Scope>,
    /// From when on it is refused.
    pub expires_at: Option<Timestamp>,
}

impl KeyRequest {
    /// Reads a request at `now`: all that is wrong is told at once.
    fn parse(document: Value, now: Timestamp) -> Result<Self, SettingsError> {
        let mut errors = Errors::default();
        let mut parsed = Self {
            name: String::new(),
            scopes: Vec::new(),
            expires_at: None,
        };
        if let Some(mut object) = Object::read("", document, &mut errors) {
            if let Some(name) = object.required_string("name") {
                if let Some(reason) = name_fault(&name) {
                    object.wrong("name", "invalid_name", reason);
                }
                parsed.name = name;
            }
            parsed.scopes = parse_scopes(&mut object);
            if let Some(text) = object.string("expires_at") {
                match text.parse::<Timestamp>() {
                    Ok(at) if at > now => parsed.expires_at = Some(at),
                    Ok(_) => object.wrong("expires_at", "in_the_past", "must lie in the future"),
                    Err(_) => {
                        object.wrong(
                            "expires_at",
                            "not_a_time",
                            "must be a time like 2027-01-31T12:00:00Z",
                        );
                    }
                }
            }
            object.finish();
        }
        errors.into_result(parsed)
    }
}

fn parse_scopes(object: &mut Object<'_>) -> Vec<Scope> {
    let mut scopes = Vec::new();
    let items = match object.take("scopes") {
        Some(Value::Array(items)) if !items.is_empty() => items,
        _ => {
            object.wrong("scopes", "required", "must be a list of at least one scope");
            return scopes;
        }
    };
    for (place, item) in items.iter().enumerate() {
        match Scope::ALL
            .into_iter()
            .find(|scope| item.as_str() == Some(scope.as_str()))
        {
            Some(scope) if scopes.contains(&scope) => {}
            Some(scope) => scopes.push(scope),
            None => {
                let names: Vec<_> = Scope::ALL.iter().map(|scope| scope.as_str()).collect();
                let reason = format!("must be one of {}", names.join(", "));
                object.wrong(&format!("scopes.{place}"), "unknown_scope", reason);
            }
        }
    }
    scopes
}

impl App {
    /// Makes a key of `tenant` as the document asks. One can only grant what one holds: no scope that
    /// the caller's own key or role lacks, and no life beyond the key's.
    pub async fn grant_api_key(
        &self,
        tenant: &Tenant,
        document: Value,
        caller: &Caller,
    ) -> Result<(ApiKey, ApiKeySecret), SettingsError> {
        let asked = KeyRequest::parse(document, self.clock.now())?;
        let rights = self.rights_in(caller, tenant).await?;
        for scope in &asked.scopes {
            rights.require(*scope)?;
        }
        if let Principal::Key(own) = &caller.principal
            && let Some(limit) = own.expires_at
            && asked.expires_at.is_none_or(|at| at > limit)
        {
            let reason = "must not be later than that of the key that makes it";
            return Err(SettingsError::field("expires_at", "beyond_own", reason));
        }
        let KeyRequest {
            name,
            scopes,
            expires_at,
        } = asked;
        Ok(self
            .create_api_key(tenant.owner(), name, scopes, expires_at, &caller.actor())
            .await?)
    }

    /// A page of the keys of `tenant`, oldest first, with when each was last used.
    pub async fn list_api_keys(
        &self,
        tenant: &Tenant,
        limit: usize,
        after: Option<&str>,
    ) -> Result<Listed<ListedKey>, StoreError> {
        let listed: Listed<ApiKey> = self
            .list(keyspace::api_keys_of(tenant.id(), "").pk, limit, after)
            .await?;
        Ok(Listed {
            items: self.with_last_use(listed.items).await?,
            next: listed.next,
        })
    }
}
