//! The sources document: what an account shares with the platforms that post events to it.

use base64::{Engine, engine::general_purpose::STANDARD};
use ringfence_ports::{KeysError, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    KEEP, SourceToken,
    document::Document,
    error::SettingsError,
    fields::{Errors, Object},
    tenant::Tenant,
};
use crate::App;

/// The longest token, in bytes. Twilio's have 32 hexadecimal digits.
const MAX_TOKEN_BYTES: usize = 256;

/// A token as it is stored.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SealedToken {
    commitment: String,
    sealed: String,
}

/// A sources document of an account.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sources {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    twilio_auth_token: Option<SealedToken>,
}

impl Sources {
    fn with_token(&self, shown: impl Fn(&SealedToken) -> Value) -> Value {
        match &self.twilio_auth_token {
            Some(token) => json!({ "twilio": { "auth_token": shown(token) } }),
            None => json!({}),
        }
    }
}

impl Document for Sources {
    const AREA: &'static str = "sources";

    fn shown(&self) -> Result<Value, StoreError> {
        Ok(self.with_token(|_| KEEP.into()))
    }

    fn recorded(&self) -> Result<Value, StoreError> {
        Ok(self.with_token(|token| token.commitment.as_str().into()))
    }
}

/// Reads a document that somebody sent: Twilio's token, if one is there.
pub(super) fn parse(document: Value, errors: &mut Errors) -> Option<String> {
    let mut object = Object::read("", document, errors)?;
    let mut token = None;
    if let Some(twilio) = object.take("twilio")
        && let Some(mut twilio) = Object::read("twilio", twilio, object.errors())
    {
        token = twilio.string("auth_token");
        let fits = |token: &str| {
            (1..=MAX_TOKEN_BYTES).contains(&token.len())
                && token.bytes().all(|b| b.is_ascii_graphic())
        };
        if token.as_deref().is_some_and(|token| !fits(token)) {
            let reason = format!("must be 1 to {MAX_TOKEN_BYTES} visible ASCII characters");
            twilio.wrong("auth_token", "invalid_token", reason);
        }
        twilio.finish();
    }
    object.finish();
    token
}

fn context(owner: &str) -> String {
    format!("{owner}/source/twilio")
}

impl App {
    /// The document with `token` in it; `***` is the one that `old` has.
    pub(super) async fn seal_sources(
        &self,
        tenant: &Tenant,
        token: Option<String>,
        old: &Sources,
        errors: &mut Errors,
    ) -> Result<Sources, SettingsError> {
        let Some(token) = token else {
            return Ok(Sources::default());
        };
        if token == KEEP {
            if old.twilio_auth_token.is_none() {
                errors.push(
                    "twilio.auth_token",
                    "value_needed",
                    "no value is stored that could be kept: send one",
                );
            }
            return Ok(old.clone());
        }
        let context = context(tenant.id());
        let commitment = self.commitment(&context, token.as_bytes()).await?;
        if old
            .twilio_auth_token
            .as_ref()
            .is_some_and(|old| old.commitment == commitment)
        {
            return Ok(old.clone());
        }
        let sealed = STANDARD.encode(self.keys.seal(&context, token.as_bytes()).await?);
        Ok(Sources {
            twilio_auth_token: Some(SealedToken { commitment, sealed }),
        })
    }

    /// Twilio's token, in the clear.
    pub(super) async fn open_twilio_token(
        &self,
        account: &str,
        sources: &Sources,
    ) -> Result<Option<SourceToken>, KeysError> {
        let Some(token) = &sources.twilio_auth_token else {
            return Ok(None);
        };
        let sealed = STANDARD
            .decode(&token.sealed)
            .map_err(|_| KeysError::Refused)?;
        let plain = self.keys.open(&context(account), &sealed).await?;
        String::from_utf8(plain)
            .map(|token| Some(SourceToken(token)))
            .map_err(|_| KeysError::Refused)
    }
}
