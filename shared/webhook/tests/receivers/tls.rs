//! Certificates: whom the sender trusts, and what a customer is told of one that it does not.

use std::sync::Arc;

use crate::common::{OK, PLENTY, Server, policy, read_request, send, sender, write};
use ringfence_webhook::send::{Options, TlsFailure, read_roots};
use ringfence_webhook::{Outcome, Target};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use tokio_rustls::TlsAcceptor;

const CA: &[u8] = include_bytes!("tls/ca.pem");
const KEY: &[u8] = include_bytes!("tls/server.key");
const LOCALHOST: &[u8] = include_bytes!("tls/localhost.pem");
const ELSEWHERE: &[u8] = include_bytes!("tls/elsewhere.pem");
const EXPIRED: &[u8] = include_bytes!("tls/expired.pem");

async fn serve(certificate: &[u8]) -> (Server, Target) {
    let config =
        ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                read_roots(certificate).unwrap(),
                PrivateKeyDer::from_pem_slice(KEY).unwrap(),
            )
            .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let server = Server::start(move |stream, _| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(mut stream) = acceptor.accept(stream).await else {
                return;
            };
            while read_request(&mut stream).await.is_some() {
                write(&mut stream, OK).await;
            }
        }
    })
    .await;
    let url = format!("https://localhost:{}/", server.address.port());
    let target = Target::parse(&url, &policy()).unwrap();
    (server, target)
}

fn trusting() -> Options {
    Options {
        extra_roots: read_roots(CA).unwrap(),
        ..Options::default()
    }
}

#[tokio::test]
async fn a_private_authority_is_trusted_where_the_operator_says_so() {
    let (server, target) = serve(LOCALHOST).await;
    let trusting = sender(trusting());
    for _ in 0..3 {
        let attempt = send(&trusting, &target, PLENTY).await;
        assert_eq!(attempt.outcome, Outcome::Success);
        assert_eq!(attempt.response.unwrap().excerpt(), "ok");
    }
    assert_eq!(server.accepted(), 1);
    let attempt = send(&sender(Options::default()), &target, PLENTY).await;
    assert_eq!(attempt.outcome, Outcome::Tls(TlsFailure::UnknownIssuer));
}

#[tokio::test]
async fn what_is_wrong_with_a_certificate_is_told() {
    for (certificate, failure, words) in [
        (ELSEWHERE, TlsFailure::WrongName, "another host name"),
        (EXPIRED, TlsFailure::Expired, "expired"),
    ] {
        let (_server, target) = serve(certificate).await;
        let outcome = send(&sender(trusting()), &target, PLENTY).await.outcome;
        assert_eq!(outcome, Outcome::Tls(failure));
        assert!(outcome.explain().contains(words));
    }
}
