//! What a right PIN opens: a cookie, good for a quarter of an hour for this link, this recording and
//! this setting of the PIN.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::SignedDuration;
use ringfence_ports::KeysError;
use subtle::ConstantTimeEq;

use super::OpenLink;
use crate::{App, derived::mac_of, pin::Unlocked};

/// For how long a right PIN opens.
pub const COOKIE_TTL: SignedDuration = SignedDuration::from_mins(15);

impl OpenLink {
    /// The name of its cookie, without a prefix: one for each link, so that two can be open at a time.
    pub fn cookie_name(&self) -> String {
        let tail = self.link.id.get(self.link.id.len().saturating_sub(16)..);
        format!("ringfence-{}", tail.unwrap_or_default())
    }
}

impl App {
    /// The cookie's value for whoever gave the right PIN.
    pub async fn unlocked_cookie(
        &self,
        open: &OpenLink,
        unlocked: &Unlocked,
    ) -> Result<String, KeysError> {
        let until = self
            .clock
            .now()
            .as_second()
            .saturating_add(COOKIE_TTL.as_secs());
        let mac = self
            .cookie_mac(open, &unlocked.version, &until.to_string())
            .await?;
        Ok(format!("{until}.{mac}"))
    }

    /// Whether a cookie's value opens this link now.
    pub async fn is_unlocked(&self, open: &OpenLink, cookie: &str) -> Result<bool, KeysError> {
        let Some((_, pin)) = &open.pin else {
            return Ok(false);
        };
        let Some((until, found)) = cookie.split_once('.') else {
            return Ok(false);
        };
        let Ok(ends) = until.parse::<i64>() else {
            return Ok(false);
        };
        if ends <= self.clock.now().as_second() {
            return Ok(false);
        }
        let mac = self.cookie_mac(open, &pin.version, until).await?;
        Ok(mac.as_bytes().ct_eq(found.as_bytes()).into())
    }

    async fn cookie_mac(
        &self,
        open: &OpenLink,
        version: &str,
        until: &str,
    ) -> Result<String, KeysError> {
        let key = self.derived_key("pin-cookie").await?;
        let parts = [open.link.id.as_str(), &open.recording.id, version, until];
        Ok(URL_SAFE_NO_PAD.encode(mac_of(&key, &parts)))
    }
}
