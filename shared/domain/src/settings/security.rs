//! The security document: where phone numbers are masked.

use ringfence_ports::StoreError;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Masking,
    document::Document,
    fields::{Errors, Object},
    resolve::{Sourced, choose},
};
use crate::access::to_value;

/// Phone number masking by scope; what is `None` is not set here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct MaskingScopes {
    /// What people and API readers see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub console: Option<bool>,
    /// Files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exports: Option<bool>,
    /// What integrators are sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callbacks: Option<bool>,
    /// Mail and SMS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notifications: Option<bool>,
}

/// A security document of an account or agency.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Security {
    /// In an agency's document: whether accounts may set otherwise what the agency sets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_override: Option<bool>,
    /// Where phone numbers are masked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone_number_masking: Option<MaskingScopes>,
}

impl Document for Security {
    const AREA: &'static str = "security";

    fn shown(&self) -> Result<Value, StoreError> {
        to_value(self)
    }

    fn recorded(&self) -> Result<Value, StoreError> {
        to_value(self)
    }
}

/// Reads a document that somebody sent.
pub(super) fn parse(document: Value, agency: bool, errors: &mut Errors) -> Security {
    let mut parsed = Security::default();
    let Some(mut object) = Object::read("", document, errors) else {
        return parsed;
    };
    if agency {
        parsed.allow_override = object.bool("allow_override");
    }
    parsed.phone_number_masking = match object.take("phone_number_masking") {
        None => None,
        // One switch for all, as the source platform has it.
        Some(Value::Bool(on)) => Some(MaskingScopes {
            console: Some(on),
            exports: Some(on),
            callbacks: Some(on),
            notifications: Some(on),
        }),
        Some(value @ Value::Object(_)) => {
            Object::read("phone_number_masking", value, object.errors()).map(|mut scopes| {
                let parsed = MaskingScopes {
                    console: scopes.bool("console"),
                    exports: scopes.bool("exports"),
                    callbacks: scopes.bool("callbacks"),
                    notifications: scopes.bool("notifications"),
                };
                scopes.finish();
                parsed
            })
        }
        Some(_) => {
            let reason = "must be true or false, or an object of console, exports, callbacks and notifications";
            object.wrong("phone_number_masking", "not_a_switch", reason);
            None
        }
    };
    // An object without a scope sets nothing, as if it were not there.
    parsed.phone_number_masking = parsed
        .phone_number_masking
        .filter(|m| *m != MaskingScopes::default());
    object.finish();
    parsed
}

/// Masking as it is in force, to be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct EffectiveMasking {
    /// What people and API readers see.
    pub console: Sourced<bool>,
    /// Files.
    pub exports: Sourced<bool>,
    /// What integrators are sent.
    pub callbacks: Sourced<bool>,
    /// Mail and SMS.
    pub notifications: Sourced<bool>,
}

/// The security settings in force, to be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct EffectiveSecurity {
    /// Where phone numbers are masked.
    pub phone_number_masking: EffectiveMasking,
}

/// Which of two documents wins, scope by scope. What nobody sets is not masked.
pub(super) fn resolve(account: &Security, agency: &Security) -> EffectiveSecurity {
    let may_override = agency.allow_override.unwrap_or(false);
    let own = account.phone_number_masking.unwrap_or_default();
    let parent = agency.phone_number_masking.unwrap_or_default();
    let scope = |own: Option<bool>, parent: Option<bool>| {
        choose(own.as_ref(), parent.as_ref(), may_override).unwrap_or(Sourced::default_of(false))
    };
    EffectiveSecurity {
        phone_number_masking: EffectiveMasking {
            console: scope(own.console, parent.console),
            exports: scope(own.exports, parent.exports),
            callbacks: scope(own.callbacks, parent.callbacks),
            notifications: scope(own.notifications, parent.notifications),
        },
    }
}

impl From<EffectiveSecurity> for Masking {
    fn from(effective: EffectiveSecurity) -> Self {
        let masking = effective.phone_number_masking;
        Self {
            console: masking.console.value,
            exports: masking.exports.value,
            callbacks: masking.callbacks.value,
            notifications: masking.notifications.value,
        }
    }
}
