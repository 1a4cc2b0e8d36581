//! What a receiver sees of a message, and which connections it travels on.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::common::{
    AT, BODY, ID, OK, PLENTY, Script, Server, policy, read_request, send, send_once, sender, write,
};
use ringfence_webhook::send::{ConnectionFailure, Options};
use ringfence_webhook::{Outcome, Sender, Target, UrlError, Verifier, sign};

#[tokio::test]
async fn a_receiver_gets_one_signed_post_that_verifies() {
    let seen = Arc::new(Mutex::new(None));
    let sink = Arc::clone(&seen);
    let server = Server::start(move |mut stream, _| {
        let sink = Arc::clone(&sink);
        async move {
            *sink.lock().unwrap() = read_request(&mut stream).await;
            write(&mut stream, OK).await;
        }
    })
    .await;
    let attempt = send_once(&server).await;
    assert_eq!(attempt.outcome, Outcome::Success);
    let response = attempt.response.unwrap();
    assert_eq!(
        (
            response.status,
            response.excerpt().as_str(),
            response.truncated
        ),
        (200, "ok", false)
    );

    let (head, body) = seen.lock().unwrap().take().unwrap();
    assert_eq!(body, BODY);
    let mut lines: Vec<&str> = head.lines().collect();
    lines[1..].sort_unstable();
    assert_eq!(
        lines,
        [
            "POST /hook?a=b HTTP/1.1",
            "accept: */*",
            "content-length: 20",
            "content-type: application/json",
            &format!("host: {}", server.address),
            concat!("user-agent: Ringfence/", env!("CARGO_PKG_VERSION")),
            &format!("webhook-id: {ID}"),
            // The vector that the specification's libraries publish.
            "webhook-signature: v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
            "webhook-timestamp: 1614265330",
            "x-tenant: blue",
        ]
    );
    let verifier: Verifier = crate::common::key().verifier();
    let signature = head
        .split("webhook-signature: ")
        .nth(1)
        .unwrap()
        .lines()
        .next()
        .unwrap();
    let verdict = sign::verify(
        &[verifier],
        ID,
        "1614265330",
        signature,
        body.as_bytes(),
        AT,
        Duration::ZERO,
    );
    assert_eq!(verdict, Ok(()));
}

#[tokio::test]
async fn a_connection_is_used_again_by_every_clone_of_the_sender() {
    let server = Server::answering(OK).await;
    let first = sender(Options::default());
    for sender in [first.clone(), first.clone(), first] {
        assert_eq!(
            send(&sender, &server.target(), PLENTY).await.outcome,
            Outcome::Success
        );
    }
    assert_eq!(server.accepted(), 1);
}

#[tokio::test]
async fn connections_of_messages_at_once_are_kept_up_to_the_limit() {
    let server = Server::answering(OK).await;
    let sender = sender(Options {
        max_idle_per_origin: 1,
        ..Options::default()
    });
    let target = server.target();
    let (a, b) = tokio::join!(
        send(&sender, &target, PLENTY),
        send(&sender, &target, PLENTY)
    );
    assert!(a.outcome.is_success() && b.outcome.is_success());
    assert_eq!(server.accepted(), 2);
    // One was kept, so one of the next two needs a new connection.
    let (a, b) = tokio::join!(
        send(&sender, &target, PLENTY),
        send(&sender, &target, PLENTY)
    );
    assert!(a.outcome.is_success() && b.outcome.is_success());
    assert_eq!(server.accepted(), 3);
}

#[tokio::test]
async fn an_idle_connection_that_the_receiver_closed_is_replaced() {
    // Closes behind each answer.
    let server = Server::start(|mut stream, _| async move {
        read_request(&mut stream).await;
        write(&mut stream, OK).await;
    })
    .await;
    let sender = sender(Options::default());
    for _ in 0..5 {
        assert_eq!(
            send(&sender, &server.target(), PLENTY).await.outcome,
            Outcome::Success
        );
    }
    assert_eq!(server.accepted(), 5);
}

#[tokio::test]
async fn a_message_on_an_idle_connection_that_closes_under_it_is_sent_again_once() {
    // The first connection answers once, reads the next message and closes without an answer.
    let server = Server::start(|mut stream, number| async move {
        while read_request(&mut stream).await.is_some() {
            write(&mut stream, OK).await;
            if number == 0 {
                read_request(&mut stream).await;
                return;
            }
        }
    })
    .await;
    let sender = sender(Options::default());
    for _ in 0..3 {
        assert_eq!(
            send(&sender, &server.target(), PLENTY).await.outcome,
            Outcome::Success
        );
    }
    assert_eq!(server.accepted(), 2);
}

#[tokio::test]
async fn a_receiver_that_restarts_costs_no_message() {
    // What connected before the restart is closed by it, seen when the next message is written.
    let restarted = Arc::new(AtomicBool::new(false));
    let is_restarted = Arc::clone(&restarted);
    let server = Server::start(move |mut stream, _| {
        let is_restarted = Arc::clone(&is_restarted);
        async move {
            let old = !is_restarted.load(Ordering::SeqCst);
            while read_request(&mut stream).await.is_some() {
                if old && is_restarted.load(Ordering::SeqCst) {
                    return;
                }
                write(&mut stream, OK).await;
            }
        }
    })
    .await;
    let (sender, target) = (sender(Options::default()), server.target());
    for _ in 0..3 {
        let mut round = Vec::new();
        for _ in 0..8 {
            let (sender, target) = (sender.clone(), target.clone());
            round.push(tokio::spawn(async move {
                send(&sender, &target, PLENTY).await.outcome
            }));
        }
        for outcome in round {
            assert_eq!(outcome.await.unwrap(), Outcome::Success);
        }
        restarted.store(true, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn a_fresh_connection_that_closes_is_not_tried_again() {
    let server = Server::start(|mut stream, _| async move {
        read_request(&mut stream).await;
    })
    .await;
    let attempt = send_once(&server).await;
    assert_eq!(
        attempt.outcome,
        Outcome::Connection(ConnectionFailure::Closed)
    );
    assert_eq!(server.accepted(), 1);
}

#[tokio::test]
async fn idle_and_old_connections_are_not_used() {
    for options in [
        Options {
            idle_timeout: Duration::ZERO,
            ..Options::default()
        },
        Options {
            max_connection_age: Duration::ZERO,
            ..Options::default()
        },
        Options {
            max_origins: 0,
            ..Options::default()
        },
    ] {
        let server = Server::answering(OK).await;
        let sender = sender(options);
        for _ in 0..2 {
            assert_eq!(
                send(&sender, &server.target(), PLENTY).await.outcome,
                Outcome::Success
            );
        }
        assert_eq!(server.accepted(), 2);
    }
}

#[tokio::test]
async fn a_quiet_sender_closes_its_idle_connections() {
    let (closed, mut wait) = tokio::sync::mpsc::channel(1);
    let server = Server::start(move |mut stream, _| {
        let closed = closed.clone();
        async move {
            read_request(&mut stream).await;
            write(&mut stream, OK).await;
            assert!(read_request(&mut stream).await.is_none());
            closed.send(()).await.unwrap();
        }
    })
    .await;
    let sender = sender(Options {
        idle_timeout: Duration::from_millis(20),
        ..Options::default()
    });
    assert!(
        send(&sender, &server.target(), PLENTY)
            .await
            .outcome
            .is_success()
    );
    let closed = tokio::time::timeout(Duration::from_secs(20), wait.recv()).await;
    assert_eq!(closed, Ok(Some(())));
}

#[tokio::test]
async fn statuses_and_retry_after_are_told_apart() {
    for (head, code, retry_after) in [
        ("204 No Content\r\nretry-after: 7", "success", Some(7)),
        ("410 Gone", "gone", None),
        (
            "429 Too Many Requests\r\nretry-after: 120",
            "slow_down",
            Some(120),
        ),
        (
            "503 Service Unavailable\r\nRetry-After: Thu, 25 Feb 2021 15:03:10 GMT",
            "slow_down",
            Some(60),
        ),
        (
            "502 Bad Gateway\r\nretry-after: Thu, 25 Feb 2021 15:00:00 GMT",
            "slow_down",
            Some(0),
        ),
        (
            "504 Gateway Timeout\r\nretry-after: soon",
            "slow_down",
            None,
        ),
        ("500 Oops", "rejected", None),
        ("404 Not Found", "rejected", None),
        ("304 Not Modified", "redirect", None),
        ("999 Odd", "rejected", None),
    ] {
        let server = Server::answering(format!(
            "HTTP/1.1 {head}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
        ))
        .await;
        let attempt = send_once(&server).await;
        assert_eq!(attempt.outcome.code(), code, "{head}");
        let response = attempt.response.unwrap();
        assert_eq!(
            response.retry_after,
            retry_after.map(Duration::from_secs),
            "{head}"
        );
        assert_eq!(response.status.to_string(), head[..3]);
    }
}

#[tokio::test]
async fn a_name_is_resolved_once_a_connection_and_exactly_that_address_is_dialled() {
    let server = Server::answering(OK).await;
    let resolver = Script::new(&[&["127.0.0.1"], &["10.0.0.1"]]);
    let options = Options {
        max_origins: 0,
        ..Options::default()
    };
    let sender = Sender::new(policy(), resolver.clone(), options).unwrap();
    let url = format!("http://receiver.example:{}/", server.address.port());
    let target = Target::parse(&url, &policy()).unwrap();
    assert_eq!(
        send(&sender, &target, PLENTY).await.outcome,
        Outcome::Success
    );
    assert_eq!(resolver.asked(), 1);
    // The name now leads elsewhere: vetted again, refused.
    assert_eq!(
        send(&sender, &target, PLENTY).await.outcome,
        Outcome::ForbiddenAddress
    );
    assert_eq!((resolver.asked(), server.accepted()), (2, 1));
}

#[tokio::test]
async fn a_name_with_a_public_and_a_private_address_gets_no_connection_at_all() {
    let server = Server::answering(OK).await;
    for answer in [["8.8.8.8", "127.0.0.1"], ["127.0.0.1", "8.8.8.8"]] {
        let resolver = Script::new(&[&answer]);
        let sender = Sender::new(
            ringfence_webhook::Policy::public(),
            resolver.clone(),
            Options::default(),
        )
        .unwrap();
        let target = Target::parse("http://receiver.example/", sender.policy()).unwrap();
        let attempt = send(&sender, &target, PLENTY).await;
        assert_eq!(attempt.outcome, Outcome::ForbiddenAddress);
        assert_eq!(
            attempt.outcome.explain(),
            "The URL leads to a forbidden address."
        );
        assert_eq!(resolver.asked(), 1);
    }
    assert_eq!(server.accepted(), 0);
}

#[tokio::test]
async fn the_next_address_is_tried_when_the_first_does_not_answer() {
    let server = Server::answering(OK).await;
    // Nothing listens on 127.0.0.2 at this port.
    let resolver = Script::new(&[&["127.0.0.2", "127.0.0.1"]]);
    let sender = Sender::new(policy(), resolver, Options::default()).unwrap();
    let url = format!("http://receiver.example:{}/", server.address.port());
    let target = Target::parse(&url, &policy()).unwrap();
    assert_eq!(
        send(&sender, &target, PLENTY).await.outcome,
        Outcome::Success
    );
}

#[tokio::test]
async fn a_target_saved_under_a_wider_policy_is_not_dialled() {
    let server = Server::answering(OK).await;
    let resolver = Script::new(&[&["127.0.0.1"]]);
    let sender = Sender::new(
        ringfence_webhook::Policy::public(),
        resolver.clone(),
        Options::default(),
    )
    .unwrap();
    assert_eq!(
        send(&sender, &server.target(), PLENTY).await.outcome,
        Outcome::ForbiddenAddress
    );
    assert_eq!(
        server.target().check(sender.policy()),
        Err(UrlError::ForbiddenAddress)
    );
    assert_eq!((resolver.asked(), server.accepted()), (0, 0));
}

#[tokio::test]
async fn a_name_without_an_address_is_a_matter_of_dns() {
    let sender = Sender::new(policy(), Script::new(&[&[]]), Options::default()).unwrap();
    let target = Target::parse("http://receiver.example/", &policy()).unwrap();
    assert_eq!(send(&sender, &target, PLENTY).await.outcome, Outcome::Dns);
}

#[tokio::test]
async fn nothing_listening_is_told() {
    let address = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let target = Target::parse(&format!("http://{address}/"), &policy()).unwrap();
    let attempt = send(&sender(Options::default()), &target, PLENTY).await;
    assert_eq!(
        attempt.outcome,
        Outcome::Connection(ConnectionFailure::Refused)
    );
    assert!(!attempt.outcome.explain().contains("127."));
}
