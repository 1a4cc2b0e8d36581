use std::{fmt, net::IpAddr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::billing::{Amount, Period};
use crate::{access::Owner, settings::EndpointKind};

/// Something that stands sealed in the table, and nowhere in plain but in the message that is sent: the
/// token of a link, a code, a number. `Debug` shows nothing of it; serialized, it is left out.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(pub(super) String);

impl Secret {
    /// Hides `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Why an endpoint was disabled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DisabledBecause {
    /// It answered 410.
    Gone,
    /// Every attempt failed for days.
    Failing,
}

/// What people are told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Notice {
    /// To somebody who was invited.
    Invitation {
        /// Who: a user that is invited.
        user: String,
        /// The link, or its path.
        #[serde(skip)]
        link: Secret,
        /// Until when the link works.
        expires_at: Timestamp,
    },
    /// To somebody who forgot the password.
    PasswordReset {
        /// Who.
        user: String,
        /// The link, or its path.
        #[serde(skip)]
        link: Secret,
        /// Until when the link works.
        expires_at: Timestamp,
    },
    /// To those who administered something before.
    NewAdministrator {
        /// What.
        owner: Owner,
        /// Who now does so too.
        user: String,
        /// When it began.
        at: Timestamp,
    },
    /// To somebody who logged in from an address for the first time.
    NewLogin {
        /// Who.
        user: String,
        /// The address.
        address: IpAddr,
        /// With what, as the browser says (`User-Agent`).
        device: Option<String>,
        /// When.
        at: Timestamp,
    },
    /// To somebody whose password was guessed at too often.
    AccountLocked {
        /// Who.
        user: String,
        /// From where the last attempt came.
        address: Option<IpAddr>,
        /// Until when logins from unknown devices are refused.
        until: Timestamp,
    },
    /// To somebody whose password was changed.
    PasswordChanged {
        /// Who.
        user: String,
        /// From where.
        address: Option<IpAddr>,
        /// When.
        at: Timestamp,
    },
    /// To somebody whose second factor was changed.
    TwoFactorChanged {
        /// Who.
        user: String,
        /// What about it, in a sentence.
        what: String,
        /// From where.
        address: Option<IpAddr>,
        /// When.
        at: Timestamp,
    },
    /// To those who administer an account in which a PIN was guessed at too often.
    PinLocked {
        /// Which account.
        account: String,
        /// At which recording the last attempt was made.
        recording: String,
        /// Until when no PIN is looked at; `None`: until there is a new one.
        until: Option<Timestamp>,
        /// When it was locked.
        at: Timestamp,
    },
    /// To those who administer an account of which an endpoint was disabled.
    EndpointDisabled {
        /// Which account.
        account: String,
        /// Which callback.
        callback: EndpointKind,
        /// Why.
        because: DisabledBecause,
        /// When.
        at: Timestamp,
    },
    /// To those who administer an account: what the billing system has to say.
    Billing {
        /// Which account.
        account: String,
        /// About what.
        subject: String,
        /// How much.
        amount: Option<Amount>,
        /// For which days.
        period: Option<Period>,
        /// Where to read more; `https`.
        url: Option<String>,
    },
    /// To a phone: a code to log in with.
    SmsCode {
        /// Whose phone.
        user: String,
        /// Its number, E.164.
        #[serde(skip)]
        number: Secret,
        /// The code.
        #[serde(skip)]
        code: Secret,
        /// Until when it is taken.
        expires_at: Timestamp,
    },
}

impl Notice {
    /// Its kind, as in lists and logs.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Invitation { .. } => "invitation",
            Self::PasswordReset { .. } => "password_reset",
            Self::NewAdministrator { .. } => "new_administrator",
            Self::NewLogin { .. } => "new_login",
            Self::AccountLocked { .. } => "account_locked",
            Self::PasswordChanged { .. } => "password_changed",
            Self::TwoFactorChanged { .. } => "two_factor_changed",
            Self::PinLocked { .. } => "pin_locked",
            Self::EndpointDisabled { .. } => "endpoint_disabled",
            Self::Billing { .. } => "billing",
            Self::SmsCode { .. } => "sms_code",
        }
    }

    /// From when on it is of no use.
    pub(super) const fn useless_from(&self) -> Option<Timestamp> {
        match self {
            Self::Invitation { expires_at, .. }
            | Self::PasswordReset { expires_at, .. }
            | Self::SmsCode { expires_at, .. } => Some(*expires_at),
            _ => None,
        }
    }

    /// What of it is sealed, in this order.
    pub(super) fn secrets(&mut self) -> Vec<&mut Secret> {
        match self {
            Self::Invitation { link, .. } | Self::PasswordReset { link, .. } => vec![link],
            Self::SmsCode { number, code, .. } => vec![number, code],
            _ => Vec::new(),
        }
    }
}
