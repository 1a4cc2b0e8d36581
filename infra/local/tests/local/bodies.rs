//! Clients that announce a body and keep it, and what becomes of everybody else meanwhile.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use crate::http::Site;

/// Much longer than an answer takes, much shorter than a body may.
const PATIENCE: Duration = Duration::from_secs(5);

/// A request of which only the head and this much of the body is sent.
fn begin(site: &Site, path: &str, headers: &str, announced: usize, sent: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(site.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n{headers}content-length: {announced}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(sent).unwrap();
    stream
}

/// The status line that comes back in time.
fn status(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let mut piece = [0; 512];
    while !answer.contains(&b'\n') {
        match stream.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => answer.extend_from_slice(&piece[..count]),
            Err(error) => return format!("none in time: {error}"),
        }
    }
    let answer = String::from_utf8_lossy(&answer);
    answer.lines().next().unwrap_or_default().to_owned()
}

const JSON: &str = "content-type: application/json\r\n";

#[test]
fn who_announces_a_body_and_keeps_it_is_in_nobodys_way() {
    let site = Site::start();
    let (account, key) = (&site.account, &site.key);
    let events = format!("/v1/accounts/{account}/events");
    let twilio = format!("/v1/accounts/{account}/ingest/twilio");
    let authorized = format!("{JSON}authorization: Bearer {key}\r\n");

    let mut kept = Vec::new();
    for _ in 0..32 {
        kept.push(begin(&site, "/v1/session", JSON, 65_536, b"{"));
        kept.push(begin(&site, "/v1/session", JSON, 8_000, b"{"));
        kept.push(begin(&site, &twilio, "", 5 << 20, b"a"));
        kept.push(begin(&site, &events, &authorized, 5 << 20, b"["));
    }

    let login = br#"{"email": "nobody@example.com", "password": "not the right one"}"#;
    let mut asked = begin(&site, "/v1/session", JSON, login.len(), login);
    assert_eq!(status(&mut asked), "HTTP/1.1 401 Unauthorized");

    // A large one, beyond what needs no place.
    let event: Vec<String> = (0..200)
        .map(|at| {
            format!(r#"{{"type": "cdr.created", "id": "e{at}", "timestamp": "2026-01-31T07:59:00Z", "data": {{"call_id": "c{at}"}}}}"#)
        })
        .collect();
    let event = format!("[{}]", event.join(","));
    let mut asked = begin(&site, &events, &authorized, event.len(), event.as_bytes());
    assert_eq!(status(&mut asked), "HTTP/1.1 202 Accepted");
}

#[test]
fn what_nobody_vouches_for_is_not_read() {
    let site = Site::start();
    let twilio = format!("/v1/accounts/{}/ingest/twilio", site.account);
    // No auth token is set; and no signature came.
    for headers in ["x-twilio-signature: abc\r\n", ""] {
        let mut asked = begin(&site, &twilio, headers, 5 << 20, b"");
        assert_eq!(status(&mut asked), "HTTP/1.1 401 Unauthorized");
    }
    // A login is small.
    for path in [
        "/v1/session",
        "/v1/password-resets",
        "/v1/invitations/accept",
    ] {
        let mut asked = begin(&site, path, JSON, 65_536, b"");
        assert_eq!(status(&mut asked), "HTTP/1.1 413 Payload Too Large");
    }
}
