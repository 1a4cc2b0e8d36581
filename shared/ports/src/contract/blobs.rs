mod http;
mod links;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
};

use bytes::Bytes;
use futures_core::Stream;

pub use links::{BlobWeb, blob_links};

use super::{Report, eventually};
use crate::{
    BlobError, BlobId, BlobMeta, Blobs, ByteStream, ListPage, Listed, MAX_BLOB_KEY_BYTES,
    MAX_DELETES,
};

/// What a case works with.
#[derive(Clone)]
struct Case {
    blobs: Arc<dyn Blobs>,
    keeps_versions: bool,
    /// A folder of its own, with a slash at its end.
    prefix: String,
}

macro_rules! cases {
    ($report:ident, $base:ident, $($name:ident),* $(,)?) => {$(
        let case = Case { prefix: format!("{}{}/", $base.prefix, stringify!($name)), ..$base.clone() };
        $report.run(stringify!($name), Box::pin($name(case))).await;
    )*};
}

/// Runs every case against `blobs`, on keys that start with `prefix` and a slash, which nobody else
/// uses. `keeps_versions` says whether the store keeps the versions of an object.
///
/// # Panics
///
/// With the names of the cases that failed.
pub async fn blobs(blobs: Arc<dyn Blobs>, keeps_versions: bool, prefix: &str) {
    let report = Report::default();
    let base = Case {
        blobs,
        keeps_versions,
        prefix: format!("{prefix}/"),
    };
    cases!(
        report,
        base,
        an_object_comes_back_as_it_was_put,
        an_empty_object_is_one,
        an_object_is_kept_under_the_key_that_is_named,
        what_is_absent_is_not_found,
        ranges_are_half_open_and_clipped,
        a_start_at_or_past_the_end_is_refused,
        another_length_stores_nothing,
        another_checksum_stores_nothing,
        a_stream_that_fails_stores_nothing,
        a_failed_overwrite_keeps_the_old,
        an_overwrite_replaces_whole,
        a_reader_keeps_what_it_opened,
        a_large_object_is_never_held,
        keys_are_taken_as_they_are,
        invalid_requests_are_refused,
        a_listing_is_in_order_of_bytes,
        a_listing_has_pages,
        versions_are_listed_and_deleted,
        a_delete_answers_for_each_key,
        a_thousand_go_at_once_and_no_more,
        an_upload_that_was_given_up_stores_nothing,
    );
    report.finish("blobs");
}

/// A stream that ends well.
fn stream(chunks: Vec<Bytes>) -> ByteStream {
    let mut chunks = chunks.into_iter();
    generate(move || chunks.next().map(Ok))
}

fn generate(
    next: impl FnMut() -> Option<Result<Bytes, BlobError>> + Send + Unpin + 'static,
) -> ByteStream {
    struct Generator<F>(F);
    impl<F: FnMut() -> Option<Result<Bytes, BlobError>> + Unpin> Stream for Generator<F> {
        type Item = Result<Bytes, BlobError>;

        fn poll_next(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> Poll<Option<Self::Item>> {
            Poll::Ready((self.0)())
        }
    }
    Box::pin(Generator(next))
}

async fn next(stream: &mut ByteStream) -> Option<Result<Bytes, BlobError>> {
    std::future::poll_fn(|cx| stream.as_mut().poll_next(cx)).await
}

async fn collect(mut stream: ByteStream) -> Vec<u8> {
    let mut all = Vec::new();
    while let Some(part) = next(&mut stream).await {
        all.extend_from_slice(&part.expect("bytes"));
    }
    all
}

fn meta() -> BlobMeta {
    BlobMeta {
        content_type: "audio/wav".to_owned(),
        ..BlobMeta::default()
    }
}

/// SHA-256 of `abc` (FIPS 180-2, appendix B.1).
const SHA256_OF_ABC: [u8; 32] = [
    0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23,
    0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad,
];

impl Case {
    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    async fn put(&self, name: &str, bytes: &'static [u8]) {
        let bytes = stream(vec![Bytes::from_static(bytes)]);
        self.blobs
            .put(&self.key(name), meta(), bytes)
            .await
            .expect("stored");
    }

    async fn read(&self, name: &str) -> Vec<u8> {
        let (_, bytes) = self
            .blobs
            .get(&self.key(name), None)
            .await
            .expect("an object");
        collect(bytes).await
    }

    async fn is_absent(&self, name: &str) -> bool {
        let key = self.key(name);
        self.blobs.head(&key).await == Err(BlobError::NotFound)
            && matches!(self.blobs.get(&key, None).await, Err(BlobError::NotFound))
            && self.names().await.iter().all(|other| other != name)
    }

    /// All objects of this case, page by page.
    async fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        let mut after = None;
        loop {
            let ListPage { items, next } = self
                .blobs
                .list(&self.prefix, after)
                .await
                .expect("a listing");
            names.extend(items.into_iter().map(|item| {
                assert!(!item.is_delete_marker && item.version.is_none());
                item.key[self.prefix.len()..].to_owned()
            }));
            match next {
                Some(next) => after = Some(next),
                None => return names,
            }
        }
    }

    async fn versions(&self) -> Vec<Listed> {
        let mut all = Vec::new();
        let mut after = None;
        loop {
            let page = self
                .blobs
                .versions(&self.prefix, after)
                .await
                .expect("versions");
            all.extend(page.items);
            match page.next {
                Some(next) => after = Some(next),
                None => return all,
            }
        }
    }

    fn id(&self, name: &str) -> BlobId {
        BlobId {
            key: self.key(name),
            version: None,
        }
    }
}

async fn an_object_comes_back_as_it_was_put(case: Case) {
    let chunks = ["a", "", "bc"].map(Bytes::from).into();
    let announced = BlobMeta {
        length: Some(3),
        sha256: Some(SHA256_OF_ABC),
        content_type: "audio/ogg; codecs=opus".to_owned(),
        kms_key: None,
    };
    let put = case
        .blobs
        .put(&case.key("a"), announced, stream(chunks))
        .await
        .expect("stored");
    let head = case.blobs.head(&case.key("a")).await.expect("a head");
    let (got, bytes) = case.blobs.get(&case.key("a"), None).await.expect("bytes");
    assert_eq!(collect(bytes).await, b"abc");
    for found in [&put, &head, &got] {
        assert_eq!(
            (found.length, found.content_type.as_str()),
            (3, "audio/ogg; codecs=opus")
        );
        assert_eq!(found.sha256, Some(SHA256_OF_ABC));
        assert_eq!(found.version.is_some(), case.keeps_versions);
        assert_eq!(found.version, put.version);
    }
    // A store tells times to the second.
    assert!(put.stored_at.duration_since(head.stored_at).as_secs().abs() <= 1);
}

async fn an_empty_object_is_one(case: Case) {
    case.put("empty", b"").await;
    assert_eq!(case.read("empty").await, b"");
    let head = case.blobs.head(&case.key("empty")).await.expect("a head");
    assert_eq!(head.length, 0);
    for range in [0..1, 0..u64::MAX] {
        let refused = case.blobs.get(&case.key("empty"), Some(range)).await;
        assert_eq!(refused.err(), Some(BlobError::Range { length: 0 }));
    }
}

/// A key as one names it; whether it is there is not the port's to say.
const KMS_KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

async fn an_object_is_kept_under_the_key_that_is_named(case: Case) {
    let keyed = |key: &str| BlobMeta {
        kms_key: Some(key.to_owned()),
        ..meta()
    };
    // In one request, and in parts.
    let key = case.key("a");
    for length in [3, LARGE] {
        let bytes = if length == LARGE {
            large()
        } else {
            stream(vec![Bytes::from_static(b"abc")])
        };
        let put = case.blobs.put(&key, keyed(KMS_KEY), bytes).await;
        assert_eq!(put.expect("stored").length, length);
        let head = case.blobs.head(&key).await.expect("a head");
        assert_eq!(
            (head.length, head.content_type.as_str()),
            (length, "audio/wav")
        );
    }
    let at = LARGE - 12_345;
    let (_, bytes) = case
        .blobs
        .get(&key, Some(at..at + 8))
        .await
        .expect("a range");
    assert_eq!(collect(bytes).await, at.to_be_bytes());
    // And back under the store's own.
    case.put("a", b"abc").await;
    assert_eq!(case.read("a").await, b"abc");
    for wrong in [
        "",
        "two words",
        "line\nbreak",
        "schlüssel",
        &"k".repeat(2049),
    ] {
        let bytes = stream(vec![Bytes::from_static(b"new")]);
        let put = case.blobs.put(&key, keyed(wrong), bytes).await;
        assert!(matches!(put, Err(BlobError::Invalid(_))), "{wrong:?}");
    }
    assert_eq!(case.read("a").await, b"abc");
}

async fn what_is_absent_is_not_found(case: Case) {
    case.put("folder/there", b"x").await;
    for name in ["absent", "folder", "folder/ther", "folder/there2"] {
        assert!(case.is_absent(name).await, "{name}");
        let ranged = case.blobs.get(&case.key(name), Some(0..1)).await;
        assert_eq!(ranged.err(), Some(BlobError::NotFound), "{name}");
    }
}

async fn ranges_are_half_open_and_clipped(case: Case) {
    case.put("a", b"0123456789").await;
    for (range, expected) in [
        (0..1, "0"),
        (0..10, "0123456789"),
        (3..7, "3456"),
        (9..10, "9"),
        (9..11, "9"),
        (7..u64::MAX, "789"),
        (0..u64::MAX, "0123456789"),
    ] {
        let (head, bytes) = case
            .blobs
            .get(&case.key("a"), Some(range.clone()))
            .await
            .expect("a range");
        assert_eq!(head.length, 10, "the object's own length");
        assert_eq!(collect(bytes).await, expected.as_bytes(), "{range:?}");
    }
}

async fn a_start_at_or_past_the_end_is_refused(case: Case) {
    case.put("a", b"0123456789").await;
    for range in [10..11, 10..u64::MAX, 11..12, u64::MAX - 1..u64::MAX] {
        let refused = case.blobs.get(&case.key("a"), Some(range.clone())).await;
        assert_eq!(
            refused.err(),
            Some(BlobError::Range { length: 10 }),
            "{range:?}"
        );
    }
    #[allow(clippy::reversed_empty_ranges, reason = "that is what is refused")]
    for range in [0..0, 5..5, 5..4, 20..10] {
        let refused = case.blobs.get(&case.key("a"), Some(range.clone())).await;
        assert!(
            matches!(refused.err(), Some(BlobError::Invalid(_))),
            "{range:?}"
        );
    }
}

async fn another_length_stores_nothing(case: Case) {
    for length in [0, 2, 4, 20 * 1024 * 1024] {
        let meta = BlobMeta {
            length: Some(length),
            ..meta()
        };
        let bytes = stream(vec![Bytes::from_static(b"abc")]);
        let refused = case.blobs.put(&case.key("a"), meta, bytes).await;
        assert_eq!(refused, Err(BlobError::Mismatch), "announced {length}");
    }
    // Beyond what a store takes in one part.
    for off in [-1_i64, 1] {
        let length = LARGE.checked_add_signed(off);
        let meta = BlobMeta { length, ..meta() };
        let refused = case.blobs.put(&case.key("large"), meta, large()).await;
        assert_eq!(refused, Err(BlobError::Mismatch), "off by {off}");
    }
    assert!(case.is_absent("a").await && case.is_absent("large").await);
    assert_eq!(case.blobs.open_uploads(&case.prefix).await, Ok(Vec::new()));
}

async fn another_checksum_stores_nothing(case: Case) {
    let mut sha256 = SHA256_OF_ABC;
    sha256[31] ^= 1;
    let announced = BlobMeta {
        sha256: Some(sha256),
        ..meta()
    };
    let bytes = stream(vec![Bytes::from_static(b"abc")]);
    let refused = case
        .blobs
        .put(&case.key("a"), announced.clone(), bytes)
        .await;
    assert_eq!(refused, Err(BlobError::Mismatch));
    let refused = case.blobs.put(&case.key("large"), announced, large()).await;
    assert_eq!(refused, Err(BlobError::Mismatch));
    assert!(case.is_absent("a").await && case.is_absent("large").await);
    assert_eq!(case.blobs.open_uploads(&case.prefix).await, Ok(Vec::new()));
}

async fn a_stream_that_fails_stores_nothing(case: Case) {
    let error = BlobError::Unavailable("the sender went away".to_owned());
    for parts in [0, 1, 12] {
        let mut left = parts;
        let error = error.clone();
        let broken = generate(move || {
            if left == 0 {
                return Some(Err(error.clone()));
            }
            left -= 1;
            Some(Ok(Bytes::from(vec![7; 1024 * 1024])))
        });
        let failed = case.blobs.put(&case.key("a"), meta(), broken).await;
        assert!(failed.is_err(), "after {parts} MiB");
    }
    assert!(case.is_absent("a").await);
    assert_eq!(case.blobs.open_uploads(&case.prefix).await, Ok(Vec::new()));
}

async fn a_failed_overwrite_keeps_the_old(case: Case) {
    case.put("a", b"old").await;
    let announced = BlobMeta {
        length: Some(4),
        ..meta()
    };
    let bytes = stream(vec![Bytes::from_static(b"new")]);
    let refused = case.blobs.put(&case.key("a"), announced, bytes).await;
    assert_eq!(refused, Err(BlobError::Mismatch));
    assert_eq!(case.read("a").await, b"old");
}

async fn an_overwrite_replaces_whole(case: Case) {
    case.put("a", b"the old one, which is longer").await;
    let second = BlobMeta {
        content_type: "audio/mpeg".to_owned(),
        ..meta()
    };
    let bytes = stream(vec![Bytes::from_static(b"new")]);
    case.blobs
        .put(&case.key("a"), second, bytes)
        .await
        .expect("stored");
    assert_eq!(case.read("a").await, b"new");
    let head = case.blobs.head(&case.key("a")).await.expect("a head");
    assert_eq!((head.length, head.content_type.as_str()), (3, "audio/mpeg"));
    assert_eq!(case.names().await, ["a"]);
}

async fn a_reader_keeps_what_it_opened(case: Case) {
    let key = case.key("a");
    case.blobs.put(&key, meta(), large()).await.expect("stored");
    let (_, mut bytes) = case.blobs.get(&key, Some(0..600_000)).await.expect("bytes");
    let mut got = next(&mut bytes)
        .await
        .expect("a first part")
        .expect("read")
        .to_vec();
    case.put("a", b"another").await;
    while let Some(part) = next(&mut bytes).await {
        got.extend_from_slice(&part.expect("read"));
    }
    let (mut expected, mut source) = (Vec::new(), large());
    while expected.len() < 600_000 {
        expected.extend_from_slice(&next(&mut source).await.expect("more").expect("made"));
    }
    assert!(got == expected[..600_000]);
    assert_eq!(case.read("a").await, b"another");
}

/// More than one part of a multipart upload, and not a multiple of anything.
const LARGE: u64 = 64 * 1024 * 1024 + 12_345;

/// A byte that tells its place.
#[allow(clippy::cast_possible_truncation, reason = "one byte is wanted")]
fn pattern(at: u64) -> u8 {
    (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8
}

fn chunk(at: u64, length: u64) -> Bytes {
    (at..at + length).map(pattern).collect()
}

/// [`LARGE`] bytes, made as they are asked for; each part knows when it is let go.
fn large() -> ByteStream {
    large_counted(Arc::default(), Arc::default())
}

struct Tracked(Bytes, Arc<AtomicUsize>);

impl AsRef<[u8]> for Tracked {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        self.1.fetch_sub(self.0.len(), Ordering::SeqCst);
    }
}

fn large_counted(alive: Arc<AtomicUsize>, most: Arc<AtomicUsize>) -> ByteStream {
    const STEP: u64 = 256 * 1024;
    // The pattern is dear in a debug build: one block of it is told apart by its place.
    let block = chunk(0, STEP);
    let mut at = 0;
    generate(move || {
        let length = STEP.min(LARGE - at);
        if length == 0 {
            return None;
        }
        let mut bytes = block.slice(..usize::try_from(length).unwrap_or(0)).to_vec();
        if at > 0 {
            bytes
                .iter_mut()
                .take(8)
                .zip(at.to_be_bytes())
                .for_each(|(b, n)| *b = n);
        }
        at += length;
        let now = alive.fetch_add(bytes.len(), Ordering::SeqCst) + bytes.len();
        most.fetch_max(now, Ordering::SeqCst);
        Some(Ok(Bytes::from_owner(Tracked(
            bytes.into(),
            Arc::clone(&alive),
        ))))
    })
}

async fn a_large_object_is_never_held(case: Case) {
    let (alive, most) = (Arc::default(), Arc::default());
    let bytes = large_counted(Arc::clone(&alive), Arc::clone(&most));
    let announced = BlobMeta {
        length: Some(LARGE),
        ..meta()
    };
    let key = case.key("a");
    let put = case
        .blobs
        .put(&key, announced, bytes)
        .await
        .expect("stored");
    assert_eq!(put.length, LARGE);
    let most: usize = most.load(Ordering::SeqCst);
    assert!(most <= 20 * 1024 * 1024, "{most} bytes of it at once");
    let all: usize = alive.load(Ordering::SeqCst);
    assert_eq!(all, 0);

    let (head, mut got) = case.blobs.get(&key, None).await.expect("bytes");
    assert_eq!(head.length, LARGE);
    let mut expected = large();
    let (mut left, mut right) = (Bytes::new(), Bytes::new());
    let mut seen = 0;
    loop {
        if left.is_empty() {
            match next(&mut got).await {
                Some(part) => left = part.expect("read"),
                None => break,
            }
            assert!(left.len() <= 4 * 1024 * 1024, "parts are small");
        }
        if right.is_empty() {
            right = next(&mut expected)
                .await
                .expect("no more than was put")
                .expect("made");
        }
        let length = left.len().min(right.len());
        assert!(
            left.split_to(length) == right.split_to(length),
            "after {seen}"
        );
        seen += length as u64;
    }
    assert_eq!(seen, LARGE);
    let at = LARGE - 12_345 - 4;
    let (_, bytes) = case
        .blobs
        .get(&key, Some(at..at + 12))
        .await
        .expect("a range");
    let bytes = collect(bytes).await;
    assert_eq!(bytes[4..], (LARGE - 12_345).to_be_bytes());
}

async fn keys_are_taken_as_they_are(case: Case) {
    let names = [
        "plain.wav",
        "with space+plus&amp;<tag>\"quote\"'",
        "percent%2Fpercent%00",
        "ünï/日本語/🙂",
        "...hidden/.dot/..a",
        "a?query=1#fragment",
        "back\\slash",
        "a*b:c|d",
    ];
    for name in names {
        case.put(name, b"x").await;
        assert_eq!(case.read(name).await, b"x", "{name}");
    }
    // As long as it gets.
    let long = "l".repeat(MAX_BLOB_KEY_BYTES - case.prefix.len());
    case.put(&long, b"long").await;
    assert_eq!(case.read(&long).await, b"long");
    let mut expected = names.map(str::to_owned).to_vec();
    expected.push(long);
    expected.sort();
    assert_eq!(case.names().await, expected);
    let ids: Vec<BlobId> = expected.iter().map(|name| case.id(name)).collect();
    let gone = case.blobs.delete(&ids).await.expect("deleted");
    assert!(gone.iter().all(Result::is_ok));
    assert_eq!(case.names().await, Vec::<String>::new());
}

async fn invalid_requests_are_refused(case: Case) {
    let long = "k".repeat(MAX_BLOB_KEY_BYTES + 1);
    for key in [
        "",
        "/",
        "/a",
        "a/",
        "a//b",
        ".",
        "..",
        "a/../b",
        "../a",
        "a/.",
        "a\0b",
        "a\nb",
        "a\u{ffff}",
        long.as_str(),
    ] {
        let put = case.blobs.put(key, meta(), stream(Vec::new())).await;
        assert!(matches!(put, Err(BlobError::Invalid(_))), "{key:?}");
        let get = case.blobs.get(key, None).await;
        assert!(matches!(get, Err(BlobError::Invalid(_))), "{key:?}");
        let head = case.blobs.head(key).await;
        assert!(matches!(head, Err(BlobError::Invalid(_))), "{key:?}");
        let id = BlobId {
            key: key.to_owned(),
            version: None,
        };
        let deleted = case.blobs.delete(&[id]).await;
        assert!(matches!(deleted, Err(BlobError::Invalid(_))), "{key:?}");
    }
    for kind in [
        "",
        " audio/wav",
        "audio/wav\r\nx: y",
        "äudio",
        &"x".repeat(256),
    ] {
        let meta = BlobMeta {
            content_type: kind.to_owned(),
            ..BlobMeta::default()
        };
        let put = case
            .blobs
            .put(&case.key("a"), meta, stream(Vec::new()))
            .await;
        assert!(matches!(put, Err(BlobError::Invalid(_))), "{kind:?}");
    }
    let huge = BlobMeta {
        length: Some(u64::MAX),
        ..meta()
    };
    let put = case
        .blobs
        .put(&case.key("a"), huge, stream(Vec::new()))
        .await;
    assert!(matches!(put, Err(BlobError::Invalid(_))));
    assert!(case.names().await.is_empty());
}

async fn a_listing_is_in_order_of_bytes(case: Case) {
    // U+FF21 sorts before U+1F600 by code point and UTF-8 byte, after it by UTF-16 unit.
    let mut names = [
        "b",
        "a",
        "a/b",
        "a-b",
        "a0",
        "aa",
        "A",
        "é",
        "z",
        "\u{ff21}",
        "\u{1f600}",
        "Z",
        "a b",
        "~",
    ];
    for name in names {
        case.put(name, b"x").await;
    }
    names.sort_unstable();
    assert_eq!(case.names().await, names);
    let part = case.blobs.list(&case.key("a"), None).await.expect("a page");
    let keys: Vec<_> = part
        .items
        .iter()
        .map(|item| &item.key[case.prefix.len()..])
        .collect();
    assert_eq!(keys, ["a", "a b", "a-b", "a/b", "a0", "aa"]);
    assert!(part.items.iter().all(|item| item.length == 1));
    assert_eq!(part.next, None);
    let none = case
        .blobs
        .list(&case.key("nothing"), None)
        .await
        .expect("a page");
    assert_eq!((none.items, none.next), (Vec::new(), None));
}

async fn put_many(case: &Case, count: usize) -> Vec<String> {
    let names: Vec<String> = (0..count).map(|n| format!("{n:05}")).collect();
    let mut tasks = Vec::new();
    for part in names.chunks(count.div_ceil(16)) {
        let (case, part) = (case.clone(), part.to_vec());
        tasks.push(tokio::spawn(async move {
            for name in part {
                case.put(&name, b"x").await;
            }
        }));
    }
    for task in tasks {
        task.await.expect("stored");
    }
    names
}

async fn a_listing_has_pages(case: Case) {
    let names = put_many(&case, 1001).await;
    let first = case.blobs.list(&case.prefix, None).await.expect("a page");
    assert!((1..=1000).contains(&first.items.len()));
    assert!(first.next.is_some());
    assert_eq!(case.names().await, names);
    assert_eq!(case.versions().await.len(), names.len());
    // Where it stopped is gone: it goes on behind it.
    let last = first.items.last().expect("an item").key.clone();
    let id = BlobId {
        key: last.clone(),
        version: None,
    };
    case.blobs.delete(&[id]).await.expect("deleted")[0]
        .as_ref()
        .expect("deleted");
    let second = case
        .blobs
        .list(&case.prefix, first.next)
        .await
        .expect("a page");
    assert_eq!(second.items.len(), names.len() - first.items.len());
    assert!(second.items[0].key > last);
}

async fn versions_are_listed_and_deleted(case: Case) {
    case.put("a", b"1").await;
    case.put("a", b"22").await;
    case.put("b", b"333").await;
    let all = case.versions().await;
    if !case.keeps_versions {
        let lengths: Vec<_> = all.iter().map(|v| (v.version.clone(), v.length)).collect();
        assert_eq!(lengths, [(None, 2), (None, 3)]);
        let id = BlobId {
            version: Some("1".to_owned()),
            ..case.id("a")
        };
        let refused = case.blobs.delete(&[id]).await.expect("an answer");
        assert!(matches!(refused[..], [Err(BlobError::Invalid(_))]));
        assert_eq!(case.read("a").await, b"22");
        return;
    }
    let lengths: Vec<_> = all
        .iter()
        .map(|v| (&v.key[case.prefix.len()..], v.length))
        .collect();
    assert_eq!(lengths, [("a", 2), ("a", 1), ("b", 3)], "newest first");
    let gone = case.blobs.delete(&[case.id("a")]).await.expect("deleted");
    assert_eq!(gone, [Ok(())]);
    assert!(case.is_absent("a").await);
    let all = case.versions().await;
    let markers: Vec<_> = all.iter().map(|v| v.is_delete_marker).collect();
    assert_eq!(markers, [true, false, false, false], "only marked");
    let ids: Vec<BlobId> = all
        .into_iter()
        .map(|v| BlobId {
            key: v.key,
            version: v.version,
        })
        .collect();
    assert!(ids.iter().all(|id| id.version.is_some()));
    for _ in 0..2 {
        let gone = case.blobs.delete(&ids).await.expect("deleted");
        assert_eq!(
            gone,
            [Ok(()), Ok(()), Ok(()), Ok(())],
            "absent ones as well"
        );
    }
    assert_eq!(case.versions().await, []);
}

async fn a_delete_answers_for_each_key(case: Case) {
    for name in ["a", "b", "c", "kept"] {
        case.put(name, b"x").await;
    }
    let names = ["b", "absent", "a", "c"];
    let gone = case.blobs.delete(&names.map(|name| case.id(name))).await;
    assert_eq!(gone, Ok(vec![Ok(()); 4]));
    let again = case.blobs.delete(&names.map(|name| case.id(name))).await;
    assert_eq!(again, Ok(vec![Ok(()); 4]));
    assert_eq!(case.names().await, ["kept"]);
    assert_eq!(case.blobs.delete(&[]).await, Ok(Vec::new()));
    // One that is named twice.
    let twice = case.blobs.delete(&[case.id("kept"), case.id("kept")]).await;
    assert_eq!(twice, Ok(vec![Ok(()); 2]));
    assert!(case.is_absent("kept").await);
}

async fn a_thousand_go_at_once_and_no_more(case: Case) {
    let mut ids: Vec<BlobId> = put_many(&case, MAX_DELETES)
        .await
        .iter()
        .map(|name| case.id(name))
        .collect();
    ids.push(case.id("one-too-many"));
    let refused = case.blobs.delete(&ids).await;
    assert!(matches!(refused, Err(BlobError::Invalid(_))));
    assert_eq!(case.names().await.len(), MAX_DELETES, "nothing was deleted");
    ids.pop();
    let gone = case.blobs.delete(&ids).await.expect("deleted");
    assert_eq!(gone, vec![Ok(()); MAX_DELETES]);
    assert!(case.names().await.is_empty());
}

async fn an_upload_that_was_given_up_stores_nothing(case: Case) {
    let (go_on, mut gone_on) = tokio::sync::oneshot::channel::<()>();
    let mut parts = large();
    let mut sent = 0;
    // Stops after 20 MiB until it is told to go on.
    let bytes: ByteStream = Box::pin(FromPoll(move |cx: &mut std::task::Context<'_>| {
        if sent >= 80 && !gone_on.is_terminated() {
            std::task::ready!(std::pin::Pin::new(&mut gone_on).poll(cx)).expect("told");
        }
        sent += 1;
        parts.as_mut().poll_next(cx)
    }));
    let (blobs, key) = (Arc::clone(&case.blobs), case.key("folder/a"));
    let putting = tokio::spawn(async move { blobs.put(&key, meta(), bytes).await });
    let open = eventually(
        async || {
            case.blobs
                .open_uploads(&case.prefix)
                .await
                .expect("a listing")
        },
        |open| !open.is_empty(),
    )
    .await;
    let by_key: BTreeMap<_, _> = open
        .iter()
        .map(|upload| (upload.key.clone(), upload))
        .collect();
    assert_eq!(by_key.keys().collect::<Vec<_>>(), [&case.key("folder/a")]);
    let others = case.blobs.open_uploads(&case.key("other")).await;
    assert_eq!(others, Ok(Vec::new()));
    assert!(
        case.is_absent("folder/a").await,
        "it does not show before it is whole"
    );
    for _ in 0..2 {
        assert_eq!(case.blobs.abort_upload(&open[0]).await, Ok(()));
    }
    go_on.send(()).expect("the upload waits");
    let refused = putting.await.expect("an answer");
    assert!(matches!(refused, Err(BlobError::Invalid(_))), "{refused:?}");
    assert!(case.is_absent("folder/a").await);
    assert_eq!(case.blobs.open_uploads(&case.prefix).await, Ok(Vec::new()));
}

struct FromPoll<F>(F);

impl<F> Stream for FromPoll<F>
where
    F: FnMut(&mut std::task::Context<'_>) -> Poll<Option<Result<Bytes, BlobError>>> + Unpin,
{
    type Item = Result<Bytes, BlobError>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> Poll<Option<Self::Item>> {
        (self.0)(cx)
    }
}
