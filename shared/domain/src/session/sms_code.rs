//! Codes by SMS: six digits, ten minutes, good only for the login, session or enrolment that they were
//! sent for.

use jiff::SignedDuration;
use ringfence_ports::{KeysError, Random};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::{App, derived::mac_of, id};

/// For how long a code is good.
pub(crate) const TTL: SignedDuration = SignedDuration::from_mins(10);
/// How many are sent for one login or session.
pub(crate) const MAX_SENDS: u8 = 3;
/// How many are sent to a person in an hour.
pub(crate) const MAX_SENDS_AN_HOUR: i64 = 10;

/// A code that was sent, as a keyed hash.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct SentCode {
    mac: String,
    pub(crate) sends: u8,
}

fn generate(random: &dyn Random) -> String {
    let mut bytes = [0; 8];
    random.fill(&mut bytes);
    // Of 64 bits, so that no code is noticeably likelier than another.
    format!("{:06}", u64::from_be_bytes(bytes) % 1_000_000)
}

impl App {
    /// A new code of `user` for `of`: to be sent, and to be stored.
    pub(crate) async fn new_sms_code(
        &self,
        user: &str,
        of: &str,
        sends: u8,
    ) -> Result<(String, SentCode), KeysError> {
        let key = self.derived_key("sms-code").await?;
        let code = generate(&*self.random);
        let mac = id::hex(&mac_of(&key, &[user, of, &code]));
        Ok((code, SentCode { mac, sends }))
    }

    pub(crate) async fn is_sms_code(
        &self,
        user: &str,
        of: &str,
        sent: &SentCode,
        code: &str,
    ) -> Result<bool, KeysError> {
        let key = self.derived_key("sms-code").await?;
        let mac = id::hex(&mac_of(&key, &[user, of, code.trim()]));
        Ok(mac.as_bytes().ct_eq(sent.mac.as_bytes()).into())
    }
}
