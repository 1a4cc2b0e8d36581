//! The security document: where phone numbers are masked, and how an agency's people log in.

use jiff::SignedDuration;
use ringfence_ports::StoreError;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Masking,
    document::Document,
    fields::{Errors, Object},
    resolve::{Sourced, choose},
};
use crate::{
    App,
    access::{parse_doc, to_value},
    keyspace,
    people::Home,
};

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
    /// In an agency's document: after how many minutes without a request of theirs its people are
    /// logged out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub automatic_logout_minutes: Option<u16>,
    /// In an agency's document: whether its people need a second factor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub two_factor: Option<TwoFactorRule>,
}

/// What an agency asks of its people beside the password; what is `None` is not set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct TwoFactorRule {
    /// Whether everybody must have a second factor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub required: Option<bool>,
    /// How often it is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ask: Option<AskSecondFactor>,
}

/// How often a second factor is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AskSecondFactor {
    /// At each login.
    #[default]
    EveryLogin,
    /// At the first login of a device, and again after 30 days.
    #[serde(rename = "every_30_days")]
    Every30Days,
}

/// The fewest and most minutes until an automatic logout.
const LOGOUT_MINUTES: std::ops::RangeInclusive<u16> = 1..=720;

/// The minutes until an automatic logout where the agency says nothing.
pub const DEFAULT_LOGOUT_MINUTES: u16 = 30;

/// How an agency's people log in. Cached for seconds ([`crate::app::CACHE_TTL`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoginPolicy {
    /// After how long without a request of a person's the session is over.
    pub idle: SignedDuration,
    /// Whether everybody must have a second factor.
    pub requires_second_factor: bool,
    /// How often it is asked.
    pub ask: AskSecondFactor,
}

impl From<&Security> for LoginPolicy {
    fn from(security: &Security) -> Self {
        let two_factor = security.two_factor.unwrap_or_default();
        let minutes = security
            .automatic_logout_minutes
            .unwrap_or(DEFAULT_LOGOUT_MINUTES);
        Self {
            idle: SignedDuration::from_mins(minutes.into()),
            requires_second_factor: two_factor.required.unwrap_or(false),
            ask: two_factor.ask.unwrap_or_default(),
        }
    }
}

impl App {
    /// How the people of this home log in, from memory for up to
    /// [`CACHE_TTL`](crate::app::CACHE_TTL).
    pub async fn login_policy(&self, home: &Home) -> Result<LoginPolicy, StoreError> {
        let policy = self
            .login_policies
            .get(home.as_str(), self.clock.now(), || async {
                let Home::Agency(agency) = home else {
                    return Ok(Some(LoginPolicy::from(&Security::default())));
                };
                let row = self
                    .table
                    .get(&keyspace::settings(agency, Security::AREA))
                    .await?;
                let security: Security = match row {
                    Some(row) => parse_doc(&row.doc)?,
                    None => Security::default(),
                };
                Ok::<_, StoreError>(Some(LoginPolicy::from(&security)))
            })
            .await?;
        policy
            .map(|policy| *policy)
            .ok_or(StoreError::Invalid("a login policy was not loaded"))
    }
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
        parsed.automatic_logout_minutes = object.number("automatic_logout_minutes", LOGOUT_MINUTES);
        parsed.two_factor = two_factor(&mut object);
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

fn two_factor(object: &mut Object<'_>) -> Option<TwoFactorRule> {
    let value = object.take("two_factor")?;
    let mut rule = Object::read("two_factor", value, object.errors())?;
    let required = rule.bool("required");
    let ask = match rule.string("ask").as_deref() {
        None => None,
        Some("every_login") => Some(AskSecondFactor::EveryLogin),
        Some("every_30_days") => Some(AskSecondFactor::Every30Days),
        Some(_) => {
            let reason = "must be one of every_login, every_30_days";
            rule.wrong("ask", "unknown_value", reason);
            None
        }
    };
    rule.finish();
    let parsed = TwoFactorRule { required, ask };
    (parsed != TwoFactorRule::default()).then_some(parsed)
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
