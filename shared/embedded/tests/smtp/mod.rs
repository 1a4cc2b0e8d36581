//! A small mail server that does as told.
#![allow(dead_code, reason = "each test file uses its part")]

use std::sync::{Arc, Mutex};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufStream};
use tokio::net::TcpListener;
use tokio_rustls::{TlsAcceptor, rustls};

const TLS: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../webhook/tests/receivers/tls"
);

/// What the server does other than what a good one does.
#[derive(Clone, Default)]
pub struct Behaviour {
    /// Commands (and `CONNECT`, `DATA-END`) with the answer they get; an empty one closes the connection.
    pub answers: Vec<(&'static str, &'static str)>,
    pub tls: Tls,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub enum Tls {
    #[default]
    None,
    /// Offered by STARTTLS.
    Start,
    /// From the first byte.
    Implicit,
}

/// A mail that was taken in.
#[derive(Clone, Debug, Default)]
pub struct Taken {
    pub hello: String,
    pub login: Option<String>,
    pub secured: bool,
    pub sender: String,
    pub recipients: Vec<String>,
    pub data: String,
}

#[derive(Default)]
struct Seen {
    taken: Vec<Taken>,
    /// Every line that came without TLS.
    plain: String,
}

pub struct Server {
    pub port: u16,
    seen: Arc<Mutex<Seen>>,
}

/// The authority of the certificate that the server shows, for `localhost`.
pub fn authority() -> Vec<u8> {
    std::fs::read(format!("{TLS}/ca.pem")).unwrap()
}

impl Server {
    pub async fn start(behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let shared = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let talk = Talk {
                    behaviour: behaviour.clone(),
                    seen: Arc::clone(&shared),
                    mail: Taken::default(),
                };
                tokio::spawn(talk.serve(stream));
            }
        });
        Self { port, seen }
    }

    pub fn taken(&self) -> Vec<Taken> {
        self.seen.lock().unwrap().taken.clone()
    }

    pub fn plain(&self) -> String {
        self.seen.lock().unwrap().plain.clone()
    }
}

struct Talk {
    behaviour: Behaviour,
    seen: Arc<Mutex<Seen>>,
    mail: Taken,
}

enum Next {
    StartTls,
    Close,
}

impl Talk {
    async fn serve(mut self, mut stream: tokio::net::TcpStream) {
        if self.behaviour.tls == Tls::Implicit {
            self.mail.secured = true;
            if let Ok(mut stream) = acceptor().accept(stream).await {
                self.converse(&mut stream, true).await;
            }
            return;
        }
        if let Next::StartTls = self.converse(&mut stream, true).await {
            self.mail.secured = true;
            if let Ok(mut stream) = acceptor().accept(stream).await {
                self.converse(&mut stream, false).await;
            }
        }
    }

    async fn converse(&mut self, stream: impl AsyncRead + AsyncWrite + Unpin, greet: bool) -> Next {
        let mut stream = BufStream::new(stream);
        if greet && !self.say(&mut stream, "CONNECT", "220 test").await {
            return Next::Close;
        }
        loop {
            let Some(line) = self.line(&mut stream).await else {
                return Next::Close;
            };
            let verb = line.split(' ').next().unwrap().to_ascii_uppercase();
            let argument = line.get(verb.len() + 1..).unwrap_or_default().to_owned();
            let offer = if self.behaviour.tls == Tls::Start && !self.mail.secured {
                "250-STARTTLS\r\n250-AUTH PLAIN\r\n250 8BITMIME"
            } else {
                "250-AUTH PLAIN\r\n250 8BITMIME"
            };
            let answer = match verb.as_str() {
                "EHLO" => {
                    self.mail.hello = argument;
                    offer
                }
                "STARTTLS" => "220 go",
                "AUTH" => {
                    let initial = argument.rsplit(' ').next().unwrap();
                    let login = STANDARD.decode(initial).unwrap();
                    self.mail.login = Some(String::from_utf8(login).unwrap());
                    "235 ok"
                }
                "MAIL" => {
                    self.mail.sender = address(&argument);
                    "250 ok"
                }
                "RCPT" => {
                    self.mail.recipients.push(address(&argument));
                    "250 ok"
                }
                "DATA" => "354 go",
                "QUIT" => "221 bye",
                _ => "250 ok",
            };
            if !self.say(&mut stream, &verb, answer).await || verb == "QUIT" {
                return Next::Close;
            }
            if verb == "STARTTLS" {
                return Next::StartTls;
            }
            if verb == "DATA" && !self.data(&mut stream).await {
                return Next::Close;
            }
        }
    }

    async fn data(&mut self, stream: &mut (impl AsyncBufReadExt + AsyncWrite + Unpin)) -> bool {
        let mut data = String::new();
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                return false;
            }
            assert!(line.ends_with("\r\n"), "a bare line feed: {line:?}");
            assert!(line.len() <= 1000, "a line of {} bytes", line.len());
            if line == ".\r\n" {
                break;
            }
            data.push_str(line.strip_prefix('.').unwrap_or(&line));
        }
        self.mail.data = data;
        let fails = self
            .behaviour
            .answers
            .iter()
            .any(|(at, _)| *at == "DATA-END");
        if !fails {
            self.seen.lock().unwrap().taken.push(self.mail.clone());
        }
        self.say(stream, "DATA-END", "250 taken").await
    }

    async fn line(&self, stream: &mut (impl AsyncBufReadExt + Unpin)) -> Option<String> {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        if !self.mail.secured {
            self.seen.lock().unwrap().plain.push_str(&line);
        }
        Some(line.trim_end().to_owned())
    }

    /// Answers as told, else with `usual`. `false`: the connection ends.
    async fn say(&self, stream: &mut (impl AsyncWrite + Unpin), at: &str, usual: &str) -> bool {
        let told = self.behaviour.answers.iter().find(|(when, _)| *when == at);
        let answer = told.map_or(usual, |(_, answer)| answer);
        if answer.is_empty() {
            return false;
        }
        let sent = stream.write_all(format!("{answer}\r\n").as_bytes()).await;
        sent.is_ok() && stream.flush().await.is_ok()
    }
}

fn address(argument: &str) -> String {
    let (_, rest) = argument.split_once('<').unwrap();
    rest.split_once('>').unwrap().0.to_owned()
}

fn acceptor() -> TlsAcceptor {
    use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
    let certificate = CertificateDer::from_pem_file(format!("{TLS}/localhost.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(format!("{TLS}/server.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}
