//! Receivers that hang, trickle, flood, redirect and lie. None may hold an attempt past its
//! deadline, cost more than the limits, or make the sender connect anywhere else.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::common::{
    OK, PLENTY, Script, Server, policy, read_request, send, send_once, sender, write,
};
use ringfence_webhook::send::{BadResponse, ConnectionFailure, Options, Phase, TlsFailure};
use ringfence_webhook::target::Resolve;
use ringfence_webhook::{Outcome, Sender, Target, Timeouts};
use tokio::io::AsyncReadExt as _;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

const SOON: Duration = Duration::from_millis(40);

fn only(timeouts: impl FnOnce(&mut Timeouts)) -> Timeouts {
    let mut all = PLENTY;
    timeouts(&mut all);
    all
}

#[tokio::test]
async fn one_that_hangs_is_cut_at_the_deadline_and_delays_no_other() {
    let hangs =
        Server::start(
            |mut stream, _| async move { while read_request(&mut stream).await.is_some() {} },
        )
        .await;
    let well = Server::answering(OK).await;
    let sender = sender(Options::default());
    let (slow, fast) = (hangs.target(), well.target());
    let held = send(
        &sender,
        &slow,
        only(|t| t.first_byte = Duration::from_secs(3600)),
    );
    let mut held = Box::pin(held);
    // The hanging one is still open when the other is done.
    tokio::select! {
        biased;
        attempt = &mut held => panic!("{:?}", attempt.outcome),
        attempt = send(&sender, &fast, PLENTY) => assert_eq!(attempt.outcome, Outcome::Success),
    }
    drop(held);
    let attempt = send(&sender, &slow, only(|t| t.first_byte = SOON)).await;
    assert_eq!(attempt.outcome, Outcome::Timeout(Phase::FirstByte));
    assert!(attempt.latency >= SOON && attempt.response.is_none());
    let attempt = send(&sender, &slow, only(|t| t.total = SOON)).await;
    assert_eq!(attempt.outcome, Outcome::Timeout(Phase::Total));
}

#[tokio::test]
async fn one_that_trickles_its_head_is_cut_at_the_deadline() {
    let server = Server::start(|mut stream, _| async move {
        read_request(&mut stream).await;
        write(&mut stream, b"HTTP/1.1 200 OK\r\nx: ").await;
        while write(&mut stream, b"a").await {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    let attempt = send(
        &sender(Options::default()),
        &server.target(),
        only(|t| t.first_byte = SOON),
    )
    .await;
    assert_eq!(attempt.outcome, Outcome::Timeout(Phase::FirstByte));
}

#[tokio::test]
async fn one_that_trickles_its_body_is_judged_by_its_status_at_the_deadline() {
    for (status, code) in [
        ("200 OK", "success"),
        ("500 No", "rejected"),
        ("410 Gone", "gone"),
    ] {
        let server = Server::start(move |mut stream, _| async move {
            read_request(&mut stream).await;
            write(
                &mut stream,
                format!("HTTP/1.1 {status}\r\ncontent-length: 100000\r\n\r\n").as_bytes(),
            )
            .await;
            while write(&mut stream, b"a").await {
                sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
        let by_total = send(
            &sender(Options::default()),
            &server.target(),
            only(|t| t.total = 5 * SOON),
        )
        .await;
        let patience = Options {
            body_wait: SOON,
            ..Options::default()
        };
        let by_patience = send(&sender(patience), &server.target(), PLENTY).await;
        for attempt in [by_total, by_patience] {
            assert_eq!(attempt.outcome.code(), code);
            assert!(attempt.latency >= SOON);
            let response = attempt.response.unwrap();
            assert!(
                response.truncated && response.excerpt().starts_with('a'),
                "{response:?}"
            );
        }
    }
}

#[tokio::test]
async fn one_that_sends_without_end_is_dropped_after_16_kib() {
    const TEN_GB: &str = "HTTP/1.1 200 OK\r\ncontent-length: 10000000000\r\n\r\n";
    const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    const TO_THE_END: &str = "HTTP/1.1 200 OK\r\n\r\n";
    for head in [TEN_GB, CHUNKED, TO_THE_END] {
        let (dropped, mut wait) = mpsc::channel(1);
        let sent = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&sent);
        let server = Server::start(move |mut stream, _| {
            let (dropped, count) = (dropped.clone(), Arc::clone(&count));
            async move {
                read_request(&mut stream).await;
                write(&mut stream, head.as_bytes()).await;
                let block = format!("2000\r\n{}\r\n", "x".repeat(0x2000));
                while write(&mut stream, block.as_bytes()).await {
                    count.fetch_add(0x2000, Ordering::SeqCst);
                }
                let _ = dropped.send(()).await;
            }
        })
        .await;
        let attempt = send_once(&server).await;
        assert_eq!(attempt.outcome, Outcome::Success);
        let response = attempt.response.unwrap();
        assert_eq!((response.head.len(), response.truncated), (1024, true));
        assert_eq!(
            timeout(Duration::from_secs(20), wait.recv()).await,
            Ok(Some(())),
            "not dropped"
        );
        // What the socket buffers of both sides held, not more.
        assert!(sent.load(Ordering::SeqCst) < 64 << 20);
    }
}

#[tokio::test]
async fn a_body_at_the_limit_is_read_and_its_connection_kept_and_that_of_a_long_one_is_not() {
    for (length, connections) in [(16 * 1024, 1), (4 * 1024 * 1024, 2)] {
        let body = "x".repeat(length);
        let server = Server::answering(format!(
            "HTTP/1.1 500 No\r\ncontent-length: {length}\r\n\r\n{body}"
        ))
        .await;
        let sender = sender(Options {
            keep_limit: usize::MAX,
            ..Options::default()
        });
        for _ in 0..2 {
            let response = send(&sender, &server.target(), PLENTY)
                .await
                .response
                .unwrap();
            assert_eq!(response.truncated, connections == 2);
            // What one read brings beyond the limit is bounded by the buffer it is read into.
            assert!((16 * 1024..512 * 1024).contains(&response.head.len()));
        }
        assert_eq!(server.accepted(), connections);
    }
    // With one byte more it is not known to have ended.
    let body = "x".repeat(16 * 1024 + 1);
    let server = Server::answering(format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    ))
    .await;
    assert!(send_once(&server).await.response.unwrap().truncated);
}

#[tokio::test]
async fn a_gzip_bomb_stays_folded() {
    // The start of a gzip stream that unfolds to zeros.
    let bomb = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xec, 0xc1, 1, 1, 0, 0];
    let mut answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n",
        bomb.len()
    )
    .into_bytes();
    answer.extend_from_slice(&bomb);
    let response = send_once(&Server::answering(answer).await)
        .await
        .response
        .unwrap();
    assert_eq!(response.head[..], bomb);
    assert!(!response.truncated);
}

#[tokio::test]
async fn a_redirect_is_never_followed() {
    let trap = Server::answering(OK).await;
    let inside = format!("http://{}/", trap.address);
    for (status, location) in [
        (301, "http://169.254.169.254/latest/meta-data/"),
        (302, inside.as_str()),
        (303, inside.as_str()),
        (307, inside.as_str()),
        (308, "/elsewhere"),
    ] {
        let server = Server::answering(format!(
            "HTTP/1.1 {status} Moved\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n"
        ))
        .await;
        let attempt = send_once(&server).await;
        assert_eq!(attempt.outcome.code(), "redirect");
        assert!(attempt.outcome.explain().contains("not followed"));
        assert_eq!(server.accepted(), 1);
    }
    assert_eq!(trap.accepted(), 0);
}

#[tokio::test]
async fn heads_beyond_the_limit_are_refused() {
    let one = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "a".repeat(512 * 1024));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: a\r\n".repeat(101));
    for head in [one, many] {
        let attempt = send_once(&Server::answering(head).await).await;
        assert_eq!(
            attempt.outcome,
            Outcome::BadResponse(BadResponse::HeadersTooLarge)
        );
    }
    let within = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nx: {}\r\n\r\n",
        "a".repeat(64 * 1024)
    );
    let attempt = send_once(&Server::answering(within).await).await;
    assert_eq!(attempt.outcome, Outcome::Success);
}

#[tokio::test]
async fn endless_headers_are_cut_off() {
    // Many short ones, and a single one that never ends.
    for filler in ["x-filler: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n", "aaaa"] {
        let block = filler.repeat(1000);
        let (dropped, mut wait) = mpsc::channel(1);
        let server = Server::start(move |mut stream, _| {
            let (dropped, block) = (dropped.clone(), block.clone());
            async move {
                read_request(&mut stream).await;
                write(&mut stream, b"HTTP/1.1 200 OK\r\nx: ").await;
                let mut sent = 0;
                while write(&mut stream, block.as_bytes()).await {
                    sent += block.len();
                }
                let _ = dropped.send(sent).await;
            }
        })
        .await;
        assert_eq!(
            send_once(&server).await.outcome,
            Outcome::BadResponse(BadResponse::HeadersTooLarge)
        );
        let sent = timeout(Duration::from_secs(20), wait.recv()).await;
        // What the socket buffers of both sides held, not more.
        assert!(sent.unwrap().unwrap() < 64 << 20);
    }
}

#[tokio::test]
async fn what_is_not_http_is_told() {
    for garbage in [
        "SSH-2.0-OpenSSH_9.6\r\n\r\n",
        "220 mail.example ESMTP\r\n\r\n",
        "\0\0\x12\u{4}\0\0\0\0\0\0\u{3}\0\0\0\u{64}\r\n\r\n",
        "HTTP/1.1 abc\r\n\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 1, 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
    ] {
        let attempt = send_once(&Server::answering(garbage).await).await;
        assert_eq!(
            attempt.outcome,
            Outcome::BadResponse(BadResponse::NotHttp),
            "{garbage:?}"
        );
    }
}

#[tokio::test]
async fn one_that_closes_or_resets_is_told() {
    let closes = Server::start(|stream, _| async move { drop(stream) }).await;
    let attempt = send_once(&closes).await;
    // Closed with the request unread, the kernel may turn the end into a reset.
    let ended = [ConnectionFailure::Closed, ConnectionFailure::Reset].map(Outcome::Connection);
    assert!(ended.contains(&attempt.outcome), "{:?}", attempt.outcome);

    let half = Server::start(|mut stream, _| async move {
        read_request(&mut stream).await;
        write(&mut stream, b"HTTP/1.1 200 OK\r\ncontent-le").await;
    })
    .await;
    assert_eq!(
        send_once(&half).await.outcome,
        Outcome::Connection(ConnectionFailure::Closed)
    );

    let resets = Server::start(|mut stream, _| async move {
        // Closing with unread input resets.
        let _ = stream.read(&mut [0; 1]).await;
    })
    .await;
    assert_eq!(
        send_once(&resets).await.outcome,
        Outcome::Connection(ConnectionFailure::Reset)
    );
}

#[tokio::test]
async fn a_body_that_breaks_off_after_2xx_is_a_success() {
    let server = Server::start(|mut stream, _| async move {
        read_request(&mut stream).await;
        write(
            &mut stream,
            b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf",
        )
        .await;
    })
    .await;
    let attempt = send_once(&server).await;
    assert_eq!(attempt.outcome, Outcome::Success);
    let response = attempt.response.unwrap();
    assert_eq!(
        (response.excerpt().as_str(), response.truncated),
        ("half", true)
    );

    let broken =
        Server::answering("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n").await;
    assert_eq!(send_once(&broken).await.outcome, Outcome::Success);
}

#[tokio::test]
async fn bytes_behind_a_response_are_no_answer_to_the_next_message() {
    // Answers the first message with two responses: the second must not count for message two.
    let server = Server::start(|mut stream, number| async move {
        while read_request(&mut stream).await.is_some() {
            let twice = [OK, b"HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n"].concat();
            write(&mut stream, if number == 0 { &twice } else { OK }).await;
        }
    })
    .await;
    let sender = sender(Options::default());
    for _ in 0..2 {
        assert_eq!(
            send(&sender, &server.target(), PLENTY).await.outcome,
            Outcome::Success
        );
    }
    assert_eq!(server.accepted(), 2);
}

#[tokio::test]
async fn informational_responses_do_not_extend_the_deadline() {
    let server = Server::start(|mut stream, _| async move {
        read_request(&mut stream).await;
        while write(&mut stream, b"HTTP/1.1 103 Early Hints\r\n\r\n").await {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    let attempt = send(
        &sender(Options::default()),
        &server.target(),
        only(|t| t.first_byte = SOON),
    )
    .await;
    assert_eq!(attempt.outcome, Outcome::Timeout(Phase::FirstByte));
}

#[tokio::test]
async fn a_slow_lookup_counts_as_connecting() {
    struct Never;
    #[async_trait::async_trait]
    impl Resolve for Never {
        async fn resolve(&self, _: &str) -> std::io::Result<Vec<std::net::IpAddr>> {
            std::future::pending().await
        }
    }
    let sender = Sender::new(policy(), Arc::new(Never), Options::default()).unwrap();
    let target = Target::parse("http://receiver.example/", &policy()).unwrap();
    let attempt = send(&sender, &target, only(|t| t.connect = SOON)).await;
    assert_eq!(attempt.outcome, Outcome::Timeout(Phase::Connect));
    assert!(attempt.latency >= SOON);
}

#[tokio::test]
async fn a_message_takes_a_connection_that_becomes_free_while_its_own_is_being_opened() {
    // Answers one lookup; the next never ends.
    struct Once(AtomicU64);
    #[async_trait::async_trait]
    impl Resolve for Once {
        async fn resolve(&self, _: &str) -> std::io::Result<Vec<std::net::IpAddr>> {
            if self.0.fetch_add(1, Ordering::SeqCst) > 0 {
                std::future::pending::<()>().await;
            }
            Ok(vec![std::net::Ipv4Addr::LOCALHOST.into()])
        }
    }
    let second = Arc::new(tokio::sync::Notify::new());
    let go = Arc::clone(&second);
    let server = Server::start(move |mut stream, _| {
        let go = Arc::clone(&go);
        async move {
            read_request(&mut stream).await;
            go.notified().await;
            write(&mut stream, OK).await;
            // Later than a connection may take, sooner than an answer must.
            read_request(&mut stream).await;
            sleep(5 * SOON).await;
            write(&mut stream, OK).await;
        }
    })
    .await;
    let resolver = Arc::new(Once(AtomicU64::new(0)));
    let sender = Sender::new(policy(), resolver.clone(), Options::default()).unwrap();
    let url = format!("http://receiver.example:{}/", server.address.port());
    let target = Target::parse(&url, &policy()).unwrap();
    let timeouts = only(|t| t.connect = 4 * SOON);
    let one = send(&sender, &target, timeouts);
    let two = async {
        while server.accepted() == 0 {
            sleep(Duration::from_millis(1)).await;
        }
        let message = send(&sender, &target, timeouts);
        let release = async {
            while resolver.0.load(Ordering::SeqCst) < 2 {
                sleep(Duration::from_millis(1)).await;
            }
            second.notify_one();
        };
        tokio::join!(message, release).0
    };
    let (one, two) = tokio::join!(one, two);
    assert_eq!(
        (one.outcome, two.outcome),
        (Outcome::Success, Outcome::Success)
    );
    assert_eq!(server.accepted(), 1);
}

#[tokio::test]
async fn a_server_without_tls_or_one_that_hangs_in_the_handshake_is_told() {
    let resolver = || Script::new(&[&["127.0.0.1"]]);
    let plain = Server::start(|mut stream, _| async move {
        write(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        let _ = stream.read(&mut [0; 1024]).await;
    })
    .await;
    let hangs = Server::start(|mut stream, _| async move {
        while stream.read(&mut [0; 1024]).await.is_ok_and(|n| n > 0) {}
    })
    .await;
    for (server, timeouts, expected) in [
        (plain, PLENTY, Outcome::Tls(TlsFailure::Handshake)),
        (
            hangs,
            only(|t| t.connect = SOON),
            Outcome::Timeout(Phase::Connect),
        ),
    ] {
        let sender = Sender::new(policy(), resolver(), Options::default()).unwrap();
        let url = format!("https://receiver.example:{}/", server.address.port());
        let target = Target::parse(&url, &policy()).unwrap();
        assert_eq!(send(&sender, &target, timeouts).await.outcome, expected);
    }
}
