//! What people are told of their logins. One place hands it on: [`App::login_notice`].

use jiff::Timestamp;
use ringfence_ports::{Message, QueueName, StoreError};
use serde::{Deserialize, Serialize};

use crate::{App, access::to_doc, people::User};

/// Messages to people.
pub const NOTIFY: QueueName = QueueName("notify");

/// What somebody is told. `Debug` shows no secret and no number.
#[derive(Clone, Serialize, Deserialize)]
#[serde(tag = "notice", rename_all = "snake_case")]
pub enum Notice {
    /// Was invited; the link sets a password.
    Invitation {
        /// The one-time link.
        url: String,
        /// Until when it works.
        until: Timestamp,
    },
    /// Asked for a new password.
    PasswordReset {
        /// The one-time link.
        url: String,
        /// Until when it works.
        until: Timestamp,
    },
    /// A code, by SMS.
    SmsCode {
        /// Where to, E.164.
        to: String,
        /// The code.
        code: String,
    },
    /// Somebody logged in from an address that is new for this person.
    LoginFromNewAddress {
        /// The address.
        address: String,
        /// When.
        at: Timestamp,
    },
    /// Too many failures: until then only known devices can log in.
    Locked {
        /// Until when.
        until: Timestamp,
    },
    /// The password was changed.
    PasswordChanged,
    /// A second factor was set up, changed, removed or reset.
    TwoFactorChanged {
        /// In a few words.
        what: String,
    },
}

impl std::fmt::Debug for Notice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Notice(..)")
    }
}

#[derive(Serialize)]
struct Order<'a> {
    user: &'a str,
    at: Timestamp,
    #[serde(flatten)]
    notice: &'a Notice,
}

impl App {
    /// The message that tells `user` of something, to be sent with the change that it tells of.
    pub(crate) fn login_notice(&self, user: &User, notice: &Notice) -> Result<Message, StoreError> {
        let order = Order {
            user: &user.id,
            at: self.clock.now(),
            notice,
        };
        Ok(Message {
            queue: NOTIFY,
            body: to_doc(&order)?,
            delay: std::time::Duration::ZERO,
            group: user.id.clone(),
        })
    }
}
