//! Keys for what a process signs and checks often (links, cookies): derived once from the key service,
//! then kept in memory, so that a request with a forged token costs no call of it.

use std::{collections::HashMap, sync::Arc};

use ring::hmac;
use ringfence_ports::KeysError;

use crate::App;

/// The keys that this process has derived, by their purpose.
#[derive(Default)]
pub(crate) struct DerivedKeys(tokio::sync::Mutex<HashMap<&'static str, Arc<hmac::Key>>>);

impl App {
    /// The HMAC-SHA256 key of a purpose. The same for every process of an installation.
    pub(crate) async fn derived_key(
        &self,
        purpose: &'static str,
    ) -> Result<Arc<hmac::Key>, KeysError> {
        let mut keys = self.derived.0.lock().await;
        if let Some(key) = keys.get(purpose) {
            return Ok(key.clone());
        }
        let bytes = self.keys.mac(&format!("derive/{purpose}"), b"v1").await?;
        let key = Arc::new(hmac::Key::new(hmac::HMAC_SHA256, &bytes));
        keys.insert(purpose, key.clone());
        Ok(key)
    }
}

/// The HMAC of several parts, each with its length before it, so that no two lists of parts collide.
pub(crate) fn mac_of(key: &hmac::Key, parts: &[&str]) -> [u8; 32] {
    let mut context = hmac::Context::with_key(key);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part.as_bytes());
    }
    let mut mac = [0; 32];
    mac.copy_from_slice(context.sign().as_ref());
    mac
}
