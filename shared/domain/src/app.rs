//! What every use case works with.

use std::sync::Arc;

use jiff::SignedDuration;
use ringfence_ports::{Blobs, Clock, Keys, Queue, Random, Table};
use ringfence_webhook::Sender;

use crate::{
    access::{ApiKey, last_use::LastUses},
    cache::Cache,
    derived::DerivedKeys,
    history::Turns,
    pin::{Argon2Pins, PinHasher},
    recording::{NoBlobs, RecordingDays},
    settings::{AccountConfig, LoginPolicy, RecordingRules},
};

/// The ports, the sender, and what this process keeps in memory for some seconds. One per process.
pub struct App {
    /// Rows.
    pub table: Arc<dyn Table>,
    /// Messages that go out without rows.
    pub queue: Arc<dyn Queue>,
    /// Sealing of secrets.
    pub keys: Arc<dyn Keys>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// Recordings' audio. Until [`App::with_blobs`] gives it a store, everything that needs one is
    /// unavailable.
    pub blobs: Arc<dyn Blobs>,
    /// Computes the hash of a PIN or a password.
    pub pin_hasher: Arc<dyn PinHasher>,
    /// Sends callbacks.
    pub sender: Sender,
    /// The origin under which the world reaches this installation (`https://calls.example.com`), for
    /// sources that sign the URL they post to; `None`: taken from each request.
    pub public_origin: Option<String>,
    /// The origin under which this machine itself reaches this process, where it is a server: links
    /// begin with it as long as there is no [`App::public_origin`].
    pub local_origin: Option<String>,
    /// The most bytes that whatever hosts this process hands on of one request or answer; `None`: any
    /// number. Larger audio goes to the store directly, and is played in parts.
    pub max_message_bytes: Option<u64>,
    /// Whether this process goes on after it has answered, so that what nobody needs to wait for is
    /// written behind the answer. A Lambda does not.
    pub goes_on: bool,
    pub(crate) api_keys: Cache<ApiKey>,
    pub(crate) key_uses: LastUses,
    pub(crate) configs: Cache<AccountConfig>,
    pub(crate) rules: Cache<RecordingRules>,
    pub(crate) login_policies: Cache<LoginPolicy>,
    pub(crate) derived: DerivedKeys,
    pub(crate) recording_days: RecordingDays,
    /// Bounds the memory that hashing PINs and passwords takes at a time.
    pub(crate) pin_places: tokio::sync::Semaphore,
    pub(crate) turns: Turns,
}

/// For how long another process may still see settings and keys as they were before a change.
pub const CACHE_TTL: SignedDuration = SignedDuration::from_secs(3);

/// How many accounts and keys a process remembers.
const CACHE_CAPACITY: usize = 10_000;

impl App {
    /// An app over these ports.
    pub fn new(
        table: Arc<dyn Table>,
        queue: Arc<dyn Queue>,
        keys: Arc<dyn Keys>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        sender: Sender,
    ) -> Self {
        Self {
            table,
            queue,
            keys,
            clock,
            random,
            blobs: Arc::new(NoBlobs),
            pin_hasher: Arc::new(Argon2Pins),
            sender,
            public_origin: None,
            local_origin: None,
            max_message_bytes: None,
            goes_on: false,
            api_keys: Cache::new(CACHE_TTL, CACHE_CAPACITY),
            key_uses: LastUses::default(),
            configs: Cache::new(CACHE_TTL, CACHE_CAPACITY),
            rules: Cache::new(CACHE_TTL, CACHE_CAPACITY),
            login_policies: Cache::new(CACHE_TTL, CACHE_CAPACITY),
            derived: DerivedKeys::default(),
            recording_days: RecordingDays::default(),
            pin_places: tokio::sync::Semaphore::new(crate::pin::MAX_CONCURRENT_HASHES),
            turns: Turns::new(),
        }
    }

    /// The same app with a store for recordings' audio.
    #[must_use]
    pub fn with_blobs(mut self, blobs: Arc<dyn Blobs>) -> Self {
        self.blobs = blobs;
        self
    }

    /// What the links begin with that go out in callbacks and mails.
    pub fn link_origin(&self) -> &str {
        self.public_origin
            .as_deref()
            .or(self.local_origin.as_deref())
            .unwrap_or_default()
    }

    /// Forgets cached settings and keys, after a change in this process.
    pub(crate) fn forget_cached(&self) {
        self.api_keys.clear();
        self.configs.clear();
        self.rules.clear();
        self.login_policies.clear();
    }
}
