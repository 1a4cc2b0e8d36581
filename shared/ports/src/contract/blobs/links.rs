//! What links do, over HTTP.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;

use super::{
    Case, KMS_KEY, SHA256_OF_ABC, collect,
    http::{Answer, request},
    meta, stream,
};
use crate::{BlobError, BlobMeta, Blobs, MAX_LINK_TTL, MAX_UPLOAD_BYTES, Served, contract::Report};

/// How the suite reaches what answers the links.
#[async_trait]
pub trait BlobWeb: Send + Sync {
    /// The origin of links that are relative to it (`http://127.0.0.1:1234`).
    fn origin(&self) -> String;
    /// Lets this much time pass for whoever judges the links, and for whoever makes them.
    async fn advance(&self, by: Duration);
    /// The keys and lengths of the objects under `prefix` that were told of in
    /// [`OBJECTS`](crate::OBJECTS) since the last time; `None` where this cannot be seen.
    async fn created(&self, prefix: &str) -> Option<Vec<(String, u64)>>;
}

#[derive(Clone)]
struct Linked {
    case: Case,
    web: Arc<dyn BlobWeb>,
}

macro_rules! cases {
    ($report:ident, $base:ident, $($name:ident),* $(,)?) => {$(
        let mut linked = $base.clone();
        linked.case.prefix = format!("{}{}/", $base.case.prefix, stringify!($name));
        $report.run(stringify!($name), Box::pin($name(linked))).await;
    )*};
}

/// Runs every case of links, which needs something that answers them, and may move the time.
///
/// # Panics
///
/// With the names of the cases that failed.
pub async fn blob_links(blobs: Arc<dyn Blobs>, web: Arc<dyn BlobWeb>, prefix: &str) {
    let report = Report::default();
    let base = Linked {
        case: Case {
            blobs,
            keeps_versions: false,
            prefix: format!("{prefix}/"),
        },
        web,
    };
    cases!(
        report,
        base,
        a_link_gives_the_object,
        a_link_gives_ranges,
        a_link_can_be_a_download,
        a_link_can_tell_another_type,
        a_link_ends_on_time,
        a_link_is_good_for_nothing_else,
        a_link_that_was_changed_is_refused,
        a_link_to_nothing_is_not_found,
        lives_of_links_are_bounded,
        an_upload_link_takes_what_was_announced,
        an_upload_link_takes_nothing_else,
        an_upload_link_keeps_to_the_key_that_is_named,
        an_upload_link_ends_on_time,
    );
    report.finish("blob links");
}

impl Linked {
    fn url(&self, link: &str) -> String {
        if link.starts_with('/') {
            return format!("{}{link}", self.web.origin());
        }
        link.to_owned()
    }

    async fn link(&self, name: &str, seconds: u64) -> String {
        let ttl = Duration::from_secs(seconds);
        let link = self
            .case
            .blobs
            .link(&self.case.key(name), ttl, Served::default())
            .await;
        self.url(&link.expect("a link"))
    }

    async fn get(&self, url: &str, headers: &[(&str, &str)]) -> Answer {
        request("GET", url, &owned(headers), b"").await
    }
}

fn owned(headers: &[(&str, &str)]) -> Vec<(String, String)> {
    let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    headers.iter().map(pair).collect()
}

fn announced() -> BlobMeta {
    BlobMeta {
        length: Some(3),
        sha256: Some(SHA256_OF_ABC),
        ..meta()
    }
}

async fn a_link_gives_the_object(linked: Linked) {
    let name = "a call/ü+&?#%2F.wav";
    linked.case.put(name, b"0123456789").await;
    let url = linked.link(name, 60).await;
    for _ in 0..2 {
        let answer = linked.get(&url, &[]).await;
        assert_eq!(
            (answer.status, answer.body.as_slice()),
            (200, b"0123456789".as_slice())
        );
        assert_eq!(answer.headers["content-type"], "audio/wav");
        assert_eq!(answer.headers["content-length"], "10");
        assert_eq!(answer.headers["accept-ranges"], "bytes");
        assert!(answer.headers["cache-control"].contains("no-store"));
        assert!(!answer.headers.contains_key("content-disposition"));
    }
}

async fn a_link_gives_ranges(linked: Linked) {
    linked.case.put("a", b"0123456789").await;
    let url = linked.link("a", 60).await;
    for (range, body, part) in [
        ("bytes=0-0", "0", "bytes 0-0/10"),
        ("bytes=3-6", "3456", "bytes 3-6/10"),
        ("bytes=7-", "789", "bytes 7-9/10"),
        ("bytes=-2", "89", "bytes 8-9/10"),
        ("bytes=-99", "0123456789", "bytes 0-9/10"),
        ("bytes=5-99", "56789", "bytes 5-9/10"),
    ] {
        let answer = linked.get(&url, &[("range", range)]).await;
        assert_eq!(
            (answer.status, answer.body.as_slice()),
            (206, body.as_bytes()),
            "{range}"
        );
        assert_eq!(answer.headers["content-range"], part, "{range}");
    }
    for range in ["bytes=10-", "bytes=10-11", "bytes=99-100"] {
        let answer = linked.get(&url, &[("range", range)]).await;
        assert_eq!(answer.status, 416, "{range}");
        assert_eq!(answer.headers["content-range"], "bytes */10", "{range}");
    }
}

async fn a_link_can_be_a_download(linked: Linked) {
    linked.case.put("a", b"x").await;
    let link = linked
        .case
        .blobs
        .link(
            &linked.case.key("a"),
            MAX_LINK_TTL,
            Served {
                download_as: Some("Anruf \"ü\".wav"),
                content_type: None,
            },
        )
        .await
        .expect("a link");
    let answer = linked.get(&linked.url(&link), &[]).await;
    assert_eq!(
        answer.headers["content-disposition"],
        "attachment; filename=\"Anruf ___.wav\"; filename*=UTF-8''Anruf%20%22%C3%BC%22.wav"
    );
}

async fn a_link_can_tell_another_type(linked: Linked) {
    linked.case.put("a", b"x").await;
    let link = async |content_type| {
        let served = Served {
            content_type: Some(content_type),
            ..Served::default()
        };
        let key = linked.case.key("a");
        linked.case.blobs.link(&key, MAX_LINK_TTL, served).await
    };
    let url = linked.url(
        &link("audio/mp4; codecs=\"mp4a.40.2\"")
            .await
            .expect("a link"),
    );
    for headers in [&[][..], &[("range", "bytes=0-0")]] {
        let answer = linked.get(&url, headers).await;
        assert_eq!(
            answer.headers["content-type"],
            "audio/mp4; codecs=\"mp4a.40.2\""
        );
    }
    for wrong in ["", " audio/wav", "audio/wav\r\nx: y", "äudio"] {
        let refused = link(wrong).await;
        assert!(matches!(refused, Err(BlobError::Invalid(_))), "{wrong:?}");
    }
    let head = linked.case.blobs.head(&linked.case.key("a")).await;
    assert_eq!(head.expect("a head").content_type, "audio/wav");
}

async fn a_link_ends_on_time(linked: Linked) {
    linked.case.put("a", b"x").await;
    let (short, long) = (linked.link("a", 20).await, linked.link("a", 60).await);
    linked.web.advance(Duration::from_secs(18)).await;
    assert_eq!(
        linked.get(&short, &[]).await.status,
        200,
        "in its last second"
    );
    linked.web.advance(Duration::from_secs(3)).await;
    assert_eq!(linked.get(&short, &[]).await.status, 403, "a second later");
    assert_eq!(
        linked.get(&long, &[("range", "bytes=0-0")]).await.status,
        206
    );
    linked.web.advance(Duration::from_secs(40)).await;
    assert_eq!(
        linked.get(&long, &[("range", "bytes=0-0")]).await.status,
        403
    );
}

async fn a_link_is_good_for_nothing_else(linked: Linked) {
    linked.case.put("a", b"x").await;
    let url = linked.link("a", 60).await;
    for method in ["PUT", "DELETE", "POST"] {
        let answer = request(method, &url, &owned(&[("content-type", "audio/wav")]), b"y").await;
        assert!(
            (400..500).contains(&answer.status),
            "{method}: {}",
            answer.status
        );
    }
    assert_eq!(linked.case.read("a").await, b"x");
    let upload = linked
        .case
        .blobs
        .upload_link(&linked.case.key("a"), &announced(), MAX_LINK_TTL)
        .await
        .expect("a link");
    let answer = linked.get(&linked.url(&upload.url), &[]).await;
    assert_eq!(answer.status, 403);
}

async fn a_link_that_was_changed_is_refused(linked: Linked) {
    linked.case.put("a", b"x").await;
    linked.case.put("b", b"y").await;
    let url = linked.link("a", 60).await;
    let query = url
        .find("Signature=")
        .map_or(url.rfind('/').expect("a path") + 1, |at| at + 10);
    let places = (query..url.len()).filter(|at| url.as_bytes()[*at].is_ascii_alphanumeric());
    for at in places {
        let mut changed = url.clone().into_bytes();
        changed[at] = if changed[at] == b'5' { b'6' } else { b'5' };
        let changed = String::from_utf8(changed).expect("ASCII");
        let status = linked.get(&changed, &[]).await.status;
        assert!(matches!(status, 400 | 403 | 404), "byte {at}: {status}");
    }
    let cut = &url[..url.len() - 1];
    assert!(matches!(linked.get(cut, &[]).await.status, 400 | 403 | 404));
}

async fn a_link_to_nothing_is_not_found(linked: Linked) {
    let url = linked.link("absent", 60).await;
    assert_eq!(linked.get(&url, &[]).await.status, 404);
    linked.case.put("a", b"x").await;
    let url = linked.link("a", 60).await;
    linked
        .case
        .blobs
        .delete(&[linked.case.id("a")])
        .await
        .expect("deleted");
    assert_eq!(linked.get(&url, &[]).await.status, 404);
}

async fn lives_of_links_are_bounded(linked: Linked) {
    let key = linked.case.key("a");
    for ttl in [
        Duration::ZERO,
        Duration::from_millis(500),
        MAX_LINK_TTL + Duration::from_secs(1),
        Duration::MAX,
    ] {
        let link = linked.case.blobs.link(&key, ttl, Served::default()).await;
        assert!(matches!(link, Err(BlobError::Invalid(_))), "{ttl:?}");
        let link = linked.case.blobs.upload_link(&key, &announced(), ttl).await;
        assert!(matches!(link, Err(BlobError::Invalid(_))), "{ttl:?}");
    }
    for length in [None, Some(MAX_UPLOAD_BYTES + 1)] {
        let meta = BlobMeta { length, ..meta() };
        let link = linked
            .case
            .blobs
            .upload_link(&key, &meta, MAX_LINK_TTL)
            .await;
        assert!(matches!(link, Err(BlobError::Invalid(_))), "{length:?}");
    }
}

async fn an_upload_link_takes_what_was_announced(linked: Linked) {
    let key = linked.case.key("an upload/ü+%.wav");
    let link = linked
        .case
        .blobs
        .upload_link(&key, &announced(), MAX_LINK_TTL)
        .await
        .expect("a link");
    assert!(
        link.headers
            .contains(&("content-type".to_owned(), "audio/wav".to_owned()))
    );
    let answer = request("PUT", &linked.url(&link.url), &link.headers, b"abc").await;
    assert_eq!(answer.status, 200);
    let (head, bytes) = linked.case.blobs.get(&key, None).await.expect("an object");
    assert_eq!(collect(bytes).await, b"abc");
    assert_eq!((head.length, head.content_type.as_str()), (3, "audio/wav"));
    assert_eq!(head.sha256, Some(SHA256_OF_ABC));
    if let Some(created) = linked.web.created(&linked.case.prefix).await {
        assert_eq!(created, [(key, 3)]);
    }
}

async fn an_upload_link_takes_nothing_else(linked: Linked) {
    let key = linked.case.key("a");
    let link = linked
        .case
        .blobs
        .upload_link(&key, &announced(), MAX_LINK_TTL)
        .await
        .expect("a link");
    let url = linked.url(&link.url);
    for body in ["", "ab", "abcd", "abd"] {
        let answer = request("PUT", &url, &link.headers, body.as_bytes()).await;
        assert!(
            (400..500).contains(&answer.status),
            "{body:?}: {}",
            answer.status
        );
    }
    for kind in ["audio/mpeg", "text/html"] {
        let mut headers = link.headers.clone();
        headers.retain(|(name, _)| name != "content-type");
        headers.push(("content-type".to_owned(), kind.to_owned()));
        let answer = request("PUT", &url, &headers, b"abc").await;
        assert!(
            (400..500).contains(&answer.status),
            "{kind}: {}",
            answer.status
        );
    }
    assert!(linked.case.is_absent("a").await);
    let bytes = stream(vec![Bytes::from_static(b"abc")]);
    linked
        .case
        .blobs
        .put(&key, announced(), bytes)
        .await
        .expect("stored otherwise");
    if let Some(created) = linked.web.created(&linked.case.prefix).await {
        assert!(created.is_empty() || created == [(key, 3)], "{created:?}");
    }
}

async fn an_upload_link_keeps_to_the_key_that_is_named(linked: Linked) {
    let key = linked.case.key("a");
    let meta = BlobMeta {
        kms_key: Some(KMS_KEY.to_owned()),
        ..announced()
    };
    let link = linked
        .case
        .blobs
        .upload_link(&key, &meta, MAX_LINK_TTL)
        .await
        .expect("a link");
    let url = linked.url(&link.url);
    // What names the key is signed: neither left out nor another one.
    for (name, _) in &link.headers {
        if !name.contains("encryption") {
            continue;
        }
        let mut headers = link.headers.clone();
        headers.retain(|(other, _)| other != name);
        let answer = request("PUT", &url, &headers, b"abc").await;
        assert!((400..500).contains(&answer.status), "without {name}");
        headers.push((name.clone(), "AES256".to_owned()));
        let answer = request("PUT", &url, &headers, b"abc").await;
        assert!((400..500).contains(&answer.status), "another {name}");
    }
    let answer = request("PUT", &url, &link.headers, b"abc").await;
    assert_eq!(answer.status, 200);
    assert_eq!(linked.case.read("a").await, b"abc");
    if let Some(created) = linked.web.created(&linked.case.prefix).await {
        assert_eq!(created, [(key, 3)]);
    }
}

async fn an_upload_link_ends_on_time(linked: Linked) {
    let key = linked.case.key("a");
    let ttl = Duration::from_secs(20);
    let link = linked
        .case
        .blobs
        .upload_link(&key, &announced(), ttl)
        .await
        .expect("a link");
    linked.web.advance(Duration::from_secs(21)).await;
    let answer = request("PUT", &linked.url(&link.url), &link.headers, b"abc").await;
    assert_eq!(answer.status, 403);
    assert!(linked.case.is_absent("a").await);
}
