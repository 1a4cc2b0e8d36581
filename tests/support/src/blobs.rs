//! Objects in memory, for tests of what works with them.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use ringfence_ports::{
    BlobError, BlobHead, BlobId, BlobMeta, Blobs, ByteStream, Clock, ListPage, Listed, OpenUpload,
    Served, UploadLink, contract::BlobCalls,
};

/// The most entries of a page, as in S3.
const PAGE: usize = 1_000;

/// A version of an object; `None`: a marker that it was deleted.
struct Version {
    id: Option<String>,
    object: Option<(BlobHead, Bytes)>,
}

/// An object store in memory, whose links count and say until when they are good.
pub struct MemoryBlobs {
    clock: Arc<dyn Clock>,
    /// Newest first.
    objects: Mutex<BTreeMap<String, Vec<Version>>>,
    uploads: Mutex<Vec<OpenUpload>>,
    links: AtomicU64,
    is_versioned: AtomicBool,
    next_version: AtomicU64,
    calls: Mutex<BlobCalls>,
    /// Keys that are not deleted, whoever asks.
    stuck: Mutex<BTreeSet<String>>,
    /// Keys of the provider that cannot be used.
    unusable: Mutex<BTreeSet<String>>,
    /// The provider's keys that objects were put with.
    kms_keys: Mutex<BTreeMap<String, String>>,
    /// Calls that fail, counted from now; `true`: after having been done.
    faults: Mutex<BTreeMap<u64, bool>>,
    next_call: AtomicU64,
}

fn down() -> BlobError {
    BlobError::Unavailable("a fault".to_owned())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl MemoryBlobs {
    /// An empty one, without versions.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            objects: Mutex::default(),
            uploads: Mutex::default(),
            links: AtomicU64::new(0),
            is_versioned: AtomicBool::new(false),
            next_version: AtomicU64::new(1),
            calls: Mutex::default(),
            stuck: Mutex::default(),
            unusable: Mutex::default(),
            kms_keys: Mutex::default(),
            faults: Mutex::default(),
            next_call: AtomicU64::new(0),
        }
    }

    /// Keeps versions from now on, as a bucket with versioning does.
    pub fn keep_versions(&self) {
        self.is_versioned.store(true, Ordering::SeqCst);
    }

    /// Puts an object there, as a platform does by a presigned URL.
    pub fn insert(&self, key: &str, content_type: &str, bytes: impl Into<Bytes>) {
        self.store(key, content_type.to_owned(), bytes.into());
    }

    /// Begins an upload that nobody ends.
    pub fn begin_upload(&self, key: &str) {
        let upload = self.next_version.fetch_add(1, Ordering::SeqCst).to_string();
        lock(&self.uploads).push(OpenUpload {
            key: key.to_owned(),
            upload,
        });
    }

    /// The keys of uploads that are open.
    pub fn uploads(&self) -> Vec<String> {
        lock(&self.uploads)
            .iter()
            .map(|upload| upload.key.clone())
            .collect()
    }

    /// Whether this key is deleted when somebody asks, from now on.
    pub fn stick(&self, key: &str, stuck: bool) {
        if stuck {
            lock(&self.stuck).insert(key.to_owned());
        } else {
            lock(&self.stuck).remove(key);
        }
    }

    /// Whether this key of the provider's is usable, from now on, as if somebody had disabled it.
    pub fn disable(&self, kms_key: &str, disabled: bool) {
        if disabled {
            lock(&self.unusable).insert(kms_key.to_owned());
        } else {
            lock(&self.unusable).remove(kms_key);
        }
    }

    /// The provider's key that an object was last put with; `None`: the store's own.
    pub fn kms_key(&self, key: &str) -> Option<String> {
        lock(&self.kms_keys).get(key).cloned()
    }

    /// The call (a put, a get, or one that a deletion makes) after `skip` others from now fails, before or `after` it was done.
    pub fn fail(&self, skip: u64, after: bool) {
        let at = self.next_call.load(Ordering::SeqCst) + skip;
        lock(&self.faults).insert(at, after);
    }

    /// No call fails from now on.
    pub fn mend(&self) {
        lock(&self.faults).clear();
    }

    /// How often it was asked for what a deletion asks, since the last time.
    pub fn take_calls(&self) -> BlobCalls {
        std::mem::take(&mut *lock(&self.calls))
    }

    /// The keys of all objects.
    pub fn keys(&self) -> Vec<String> {
        self.objects()
            .iter()
            .filter(|(_, versions)| versions.first().is_some_and(|v| v.object.is_some()))
            .map(|(key, _)| key.clone())
            .collect()
    }

    /// How many versions and markers there are, of everything.
    pub fn versions_kept(&self) -> usize {
        self.objects().values().map(Vec::len).sum()
    }

    /// An object's bytes.
    pub fn bytes(&self, key: &str) -> Bytes {
        self.newest(key).unwrap().1
    }

    /// How many links to objects were made.
    pub fn links(&self) -> u64 {
        self.links.load(Ordering::SeqCst)
    }

    fn objects(&self) -> MutexGuard<'_, BTreeMap<String, Vec<Version>>> {
        lock(&self.objects)
    }

    fn newest(&self, key: &str) -> Option<(BlobHead, Bytes)> {
        self.objects().get(key)?.first()?.object.clone()
    }

    fn new_version(&self) -> Option<String> {
        self.is_versioned
            .load(Ordering::SeqCst)
            .then(|| format!("v{:06}", self.next_version.fetch_add(1, Ordering::SeqCst)))
    }

    fn store(&self, key: &str, content_type: String, bytes: Bytes) -> BlobHead {
        let mut head = self.head_of(content_type, &bytes);
        head.version = self.new_version();
        let version = Version {
            id: head.version.clone(),
            object: Some((head.clone(), bytes)),
        };
        let mut objects = self.objects();
        let versions = objects.entry(key.to_owned()).or_default();
        if version.id.is_none() {
            versions.clear();
        }
        versions.insert(0, version);
        head
    }

    /// Counts a call; an error where it is to fail, and whether only afterwards.
    fn fault(&self) -> Option<bool> {
        let at = self.next_call.fetch_add(1, Ordering::SeqCst);
        lock(&self.faults).remove(&at)
    }

    fn failing<T>(&self, call: impl FnOnce() -> T) -> Result<T, BlobError> {
        match self.fault() {
            None => Ok(call()),
            Some(false) => Err(down()),
            Some(true) => {
                call();
                Err(down())
            }
        }
    }

    fn head_of(&self, content_type: String, bytes: &[u8]) -> BlobHead {
        let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(digest.as_ref());
        BlobHead {
            length: bytes.len() as u64,
            content_type,
            sha256: Some(sha256),
            stored_at: self.clock.now(),
            version: None,
        }
    }

    fn url(&self, kind: &str, key: &str, ttl: Duration) -> Result<String, BlobError> {
        if ttl > ringfence_ports::MAX_LINK_TTL {
            return Err(BlobError::Invalid("a link lives too long"));
        }
        let ends = self.clock.now().as_second() + ttl.as_secs().cast_signed();
        Ok(format!("https://store.test/{kind}/{key}?until={ends}"))
    }

    fn delete_one(&self, id: &BlobId) -> Result<(), BlobError> {
        if lock(&self.stuck).contains(&id.key) {
            return Err(BlobError::Unavailable("stuck".to_owned()));
        }
        let mut objects = self.objects();
        match &id.version {
            Some(version) => {
                if let Some(versions) = objects.get_mut(&id.key) {
                    versions.retain(|kept| kept.id.as_ref() != Some(version));
                    if versions.is_empty() {
                        objects.remove(&id.key);
                    }
                }
            }
            None => match self.new_version() {
                Some(marker) => objects.entry(id.key.clone()).or_default().insert(
                    0,
                    Version {
                        id: Some(marker),
                        object: None,
                    },
                ),
                None => drop(objects.remove(&id.key)),
            },
        }
        Ok(())
    }

    fn page(&self, prefix: &str, after: Option<&str>, newest_only: bool) -> ListPage {
        let objects = self.objects();
        let mut items = Vec::new();
        for (key, versions) in objects.range(prefix.to_owned()..) {
            if !key.starts_with(prefix) {
                break;
            }
            for version in versions
                .iter()
                .take(if newest_only { 1 } else { usize::MAX })
            {
                let is_delete_marker = version.object.is_none();
                if newest_only && is_delete_marker {
                    continue;
                }
                items.push(Listed {
                    key: key.clone(),
                    version: version.id.clone().filter(|_| !newest_only),
                    is_delete_marker,
                    length: version.object.as_ref().map_or(0, |(head, _)| head.length),
                });
            }
        }
        let start: usize = after.map_or(0, |after| after.parse().unwrap());
        let more = items.len() > start + PAGE;
        let items = items.into_iter().skip(start).take(PAGE).collect();
        ListPage {
            items,
            next: more.then(|| (start + PAGE).to_string()),
        }
    }
}

#[async_trait]
impl Blobs for MemoryBlobs {
    async fn put(
        &self,
        key: &str,
        meta: BlobMeta,
        mut bytes: ByteStream,
    ) -> Result<BlobHead, BlobError> {
        let mut whole = Vec::new();
        while let Some(part) = bytes.next().await {
            whole.extend_from_slice(&part?);
        }
        let head = self.head_of(meta.content_type.clone(), &whole);
        let fits = meta.length.is_none_or(|length| length == head.length)
            && meta.sha256.is_none_or(|sha256| Some(sha256) == head.sha256);
        if !fits {
            return Err(BlobError::Mismatch);
        }
        let fault = self.fault();
        if fault == Some(false) {
            return Err(down());
        }
        match meta.kms_key {
            Some(kms_key) if lock(&self.unusable).contains(&kms_key) => {
                return Err(BlobError::Key("KMS.DisabledException".to_owned()));
            }
            Some(kms_key) => drop(lock(&self.kms_keys).insert(key.to_owned(), kms_key)),
            None => drop(lock(&self.kms_keys).remove(key)),
        }
        let stored = self.store(key, meta.content_type, whole.into());
        if fault.is_some() {
            return Err(down());
        }
        Ok(stored)
    }

    async fn get(
        &self,
        key: &str,
        range: Option<Range<u64>>,
    ) -> Result<(BlobHead, ByteStream), BlobError> {
        if self.fault().is_some() {
            return Err(down());
        }
        let (head, bytes) = self.newest(key).ok_or(BlobError::NotFound)?;
        let range = range.unwrap_or(0..head.length);
        if range.start >= head.length {
            return Err(BlobError::Range {
                length: head.length,
            });
        }
        let at = |byte: u64| usize::try_from(byte).unwrap();
        let slice = bytes.slice(at(range.start)..at(range.end.min(head.length)));
        Ok((head, Box::pin(stream::iter([Ok(slice)]))))
    }

    async fn head(&self, key: &str) -> Result<BlobHead, BlobError> {
        let (head, _) = self.newest(key).ok_or(BlobError::NotFound)?;
        Ok(head)
    }

    async fn list(&self, prefix: &str, after: Option<String>) -> Result<ListPage, BlobError> {
        Ok(self.page(prefix, after.as_deref(), true))
    }

    async fn versions(&self, prefix: &str, after: Option<String>) -> Result<ListPage, BlobError> {
        lock(&self.calls).versions += 1;
        self.failing(|| self.page(prefix, after.as_deref(), false))
    }

    async fn delete(&self, ids: &[BlobId]) -> Result<Vec<Result<(), BlobError>>, BlobError> {
        if ids.len() > ringfence_ports::MAX_DELETES {
            return Err(BlobError::Invalid("too many at once"));
        }
        {
            let mut calls = lock(&self.calls);
            calls.delete += 1;
            calls.deleted += ids.len() as u64;
        }
        self.failing(|| ids.iter().map(|id| self.delete_one(id)).collect())
    }

    async fn open_uploads(&self, prefix: &str) -> Result<Vec<OpenUpload>, BlobError> {
        lock(&self.calls).open_uploads += 1;
        self.failing(|| {
            lock(&self.uploads)
                .iter()
                .filter(|upload| upload.key.starts_with(prefix))
                .cloned()
                .collect()
        })
    }

    async fn abort_upload(&self, upload: &OpenUpload) -> Result<(), BlobError> {
        self.failing(|| lock(&self.uploads).retain(|open| open != upload))
    }

    async fn link(
        &self,
        key: &str,
        ttl: Duration,
        served: Served<'_>,
    ) -> Result<String, BlobError> {
        self.links.fetch_add(1, Ordering::SeqCst);
        let mut url = self.url("get", key, ttl)?;
        if let Some(kind) = served.content_type {
            // Before what says until when it is good.
            url = url.replace("?until=", &format!("?type={kind}&until="));
        }
        Ok(url)
    }

    async fn upload_link(
        &self,
        key: &str,
        meta: &BlobMeta,
        ttl: Duration,
    ) -> Result<UploadLink, BlobError> {
        let mut headers = vec![("content-type".to_owned(), meta.content_type.clone())];
        if let Some(kms_key) = &meta.kms_key {
            let name = "x-amz-server-side-encryption-aws-kms-key-id";
            headers.push((name.to_owned(), kms_key.clone()));
        }
        Ok(UploadLink {
            url: self.url("put", key, ttl)?,
            headers,
        })
    }
}
