//! Mail as it travels (MIME), and on its way to a server (SMTP).

use std::borrow::Cow;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox as Named, MultiPart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{Address, AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use percent_encoding::percent_decode_str;
use ringfence_ports::{Clock, Email, Mail, SendError};
use url::{Host, Url};

/// For each step of a conversation with the server.
const STEP: Duration = Duration::from_secs(20);
/// For the whole of it.
const WHOLE: Duration = Duration::from_mins(1);

/// The mail server that mail is handed to. `Display` and `Debug` show host and port, never who logs in.
#[derive(Clone)]
pub struct SmtpServer {
    host: String,
    port: u16,
    security: Security,
    credentials: Option<Credentials>,
    /// Authorities beside Mozilla's, as PEM.
    authorities: Option<Vec<u8>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Security {
    /// TLS from the first byte (RFC 8314 §3.3).
    Implicit,
    /// STARTTLS (RFC 3207), and nothing is said without it.
    StartTls,
    /// None: the server is this machine.
    Plain,
}

/// Why this is no mail server. Shows nothing of what was given.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum SmtpServerError {
    /// It cannot be read as a URL.
    #[error(
        "expected smtps://USER:PASSWORD@HOST or smtp://USER:PASSWORD@HOST (with STARTTLS), a port if it is another"
    )]
    Url,
    /// The authorities are not certificates in PEM.
    #[error("the file of authorities holds no certificates in PEM")]
    Authorities,
}

impl FromStr for SmtpServer {
    type Err = SmtpServerError;

    /// `smtps://[user:password@]host[:465]` speaks TLS from the start; `smtp://[user:password@]host[:587]`
    /// insists on STARTTLS, except to this machine itself (port 25 unless said), which is spoken to in
    /// plain.
    fn from_str(text: &str) -> Result<Self, SmtpServerError> {
        let url = Url::parse(text).map_err(|_| SmtpServerError::Url)?;
        let is_bare =
            matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
        let host = url.host_str().filter(|host| !host.is_empty() && is_bare);
        let host = host.ok_or(SmtpServerError::Url)?;
        let (security, port) = match url.scheme() {
            "smtps" => (Security::Implicit, 465),
            "smtp" if is_this_machine(host) => (Security::Plain, 25),
            "smtp" => (Security::StartTls, 587),
            _ => return Err(SmtpServerError::Url),
        };
        let decoded = |part: &str| {
            let text = percent_decode_str(part).decode_utf8();
            text.map(Cow::into_owned).map_err(|_| SmtpServerError::Url)
        };
        let credentials = match (url.username(), url.password()) {
            ("", None) => None,
            ("", Some(_)) | (_, None) => return Err(SmtpServerError::Url),
            (user, Some(password)) => Some(Credentials::new(decoded(user)?, decoded(password)?)),
        };
        Ok(Self {
            host: host.trim_matches(['[', ']']).to_owned(),
            port: url.port().unwrap_or(port),
            security,
            credentials,
            authorities: None,
        })
    }
}

impl SmtpServer {
    /// The same, where its certificate may also be of one of these authorities (PEM): a server inside a
    /// company.
    pub fn trusting(mut self, pem: Vec<u8>) -> Result<Self, SmtpServerError> {
        let is_pem = pem
            .windows(27)
            .any(|part| part == b"-----BEGIN CERTIFICATE-----");
        if !is_pem || Certificate::from_pem(&pem).is_err() {
            return Err(SmtpServerError::Authorities);
        }
        self.authorities = Some(pem);
        Ok(self)
    }
}

impl std::fmt::Display for SmtpServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl std::fmt::Debug for SmtpServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SmtpServer({self})")
    }
}

fn is_this_machine(host: &str) -> bool {
    match Host::parse(host) {
        Ok(Host::Domain(name)) => name == "localhost",
        Ok(Host::Ipv4(ip)) => IpAddr::V4(ip).is_loopback(),
        Ok(Host::Ipv6(ip)) => IpAddr::V6(ip).is_loopback(),
        Err(_) => false,
    }
}

/// [`Mail`] by a server that carries it on: a conversation for each mail.
pub struct SmtpMail {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for SmtpMail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SmtpMail")
    }
}

impl SmtpMail {
    /// By this server, which is greeted in the name of `domain`. Connects to nothing.
    pub fn new(
        server: &SmtpServer,
        domain: &str,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, SmtpServerError> {
        let mut tls = TlsParameters::builder(server.host.clone())
            .certificate_store(CertificateStore::WebpkiRoots);
        if let Some(pem) = &server.authorities {
            let authority = Certificate::from_pem(pem).map_err(|_| SmtpServerError::Authorities)?;
            tls = tls.add_root_certificate(authority);
        }
        let tls = tls
            .build_rustls()
            .map_err(|_| SmtpServerError::Authorities)?;
        let mut builder =
            AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(server.host.clone())
                .port(server.port)
                .tls(match server.security {
                    Security::Implicit => Tls::Wrapper(tls),
                    Security::StartTls => Tls::Required(tls),
                    Security::Plain => Tls::None,
                })
                .hello_name(ClientId::Domain(domain.to_owned()))
                .timeout(Some(STEP));
        if let Some(credentials) = server.credentials.clone() {
            builder = builder.credentials(credentials);
        }
        Ok(Self {
            transport: builder.build(),
            clock,
        })
    }
}

#[async_trait]
impl Mail for SmtpMail {
    async fn send(&self, mail: &Email) -> Result<(), SendError> {
        let message = mime(mail, self.clock.now())?;
        match tokio::time::timeout(WHOLE, self.transport.send(message)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(not_sent(&error)),
            Err(_) => Err(SendError::Later("the mail server took too long".to_owned())),
        }
    }
}

/// What the server said is not passed on: it quotes addresses.
fn not_sent(error: &lettre::transport::smtp::Error) -> SendError {
    let Some(code) = error.status().map(u16::from) else {
        let what = if error.is_tls() {
            "no TLS with the mail server"
        } else if error.is_timeout() {
            "the mail server did not answer in time"
        } else if error.is_client() {
            "the mail server does not offer what is needed"
        } else {
            "no conversation with the mail server"
        };
        return SendError::Later(what.to_owned());
    };
    let cause = format!("the mail server answered {code}");
    // Those that are about this mail or its recipient (RFC 5321 §4.2.2, RFC 7504). All others (no login,
    // no service) are for the operator to mend, and the mail waits for that.
    match code {
        501 | 550..=553 | 555 | 556 => SendError::Refused(cause),
        _ => SendError::Later(cause),
    }
}

/// The mail as RFC 5322 and MIME have it: both texts, as alternatives of each other.
pub(crate) fn mime(mail: &Email, now: Timestamp) -> Result<Message, SendError> {
    mail.validate()?;
    let address = |text: &str| {
        text.parse::<Address>()
            .map_err(|_| SendError::Refused("an address is not one".to_owned()))
    };
    let mut builder = Message::builder()
        .from(Named::new(
            mail.from.name.clone(),
            address(&mail.from.address)?,
        ))
        .to(Named::new(None, address(&mail.to)?))
        .raw_header(HeaderValue::dangerous_new_pre_encoded(
            HeaderName::new_from_ascii_str("Subject"),
            mail.subject.clone(),
            subject(&mail.subject),
        ))
        .message_id(Some(format!("<{}>", mail.message_id())))
        .date(SystemTime::from(now))
        // No answers from machines (RFC 3834 §5).
        .raw_header(HeaderValue::new(
            HeaderName::new_from_ascii_str("Auto-Submitted"),
            "auto-generated".to_owned(),
        ));
    if let Some(reply_to) = &mail.reply_to {
        builder = builder.reply_to(Named::new(None, address(reply_to)?));
    }
    builder
        .multipart(MultiPart::alternative_plain_html(
            mail.text.clone(),
            mail.html.clone(),
        ))
        .map_err(|_| SendError::Refused("the mail cannot be put together".to_owned()))
}

/// A subject as it stands in its header (RFC 2047): as it is, or where that could be read as something
/// else, as encoded words of at most 75 characters, one to a line. lettre leaves alone what already
/// looks like an encoded word.
fn subject(text: &str) -> String {
    let is_plain = text.len() <= 60
        && text.bytes().all(|b| b == b' ' || b.is_ascii_graphic())
        && !text.contains("=?")
        && !text.contains("  ")
        && text.trim() == text;
    if is_plain {
        return text.to_owned();
    }
    let mut words: Vec<String> = vec![String::new()];
    for letter in text.chars() {
        match words.last_mut() {
            // 45 bytes are 60 letters of base64.
            Some(word) if word.len() + letter.len_utf8() <= 45 => word.push(letter),
            _ => words.push(letter.to_string()),
        }
    }
    let words: Vec<String> = words
        .iter()
        .map(|word| format!("=?utf-8?B?{}?=", STANDARD.encode(word)))
        .collect();
    words.join("\r\n ")
}

#[cfg(test)]
#[path = "../tests/smtp/mod.rs"]
mod smtp;

#[cfg(test)]
mod tests {
    use super::smtp::{Behaviour, Server, Tls as Offered, authority};
    use super::*;
    use ringfence_ports::{Mailbox, SystemClock};

    fn email() -> Email {
        Email {
            id: "ntc_1".to_owned(),
            from: Mailbox::parse("ringfence@example.com").unwrap(),
            to: "canary@example.com".to_owned(),
            reply_to: None,
            subject: "Canary".to_owned(),
            text: "canary\n".to_owned(),
            html: "<p>canary</p>\n".to_owned(),
        }
    }

    async fn send(server: &Server, security: Security, trusts: bool) -> Result<(), SendError> {
        let url = format!("smtps://user:canary@localhost:{}", server.port);
        let mut to: SmtpServer = url.parse().unwrap();
        to.security = security;
        if trusts {
            to = to.trusting(authority()).unwrap();
        }
        let mail = SmtpMail::new(&to, "example.com", Arc::new(SystemClock)).unwrap();
        mail.send(&email()).await
    }

    #[tokio::test]
    async fn nothing_is_said_in_plain() {
        for (offered, security) in [
            (Offered::Start, Security::StartTls),
            (Offered::Implicit, Security::Implicit),
        ] {
            let behaviour = Behaviour {
                tls: offered,
                ..Behaviour::default()
            };
            let server = Server::start(behaviour).await;
            send(&server, security, true).await.unwrap();
            assert!(server.taken()[0].secured);
            assert!(!server.plain().to_lowercase().contains("canary"));
            // Its certificate is of nobody that is trusted.
            let refused = send(&server, security, false).await;
            assert!(matches!(refused, Err(SendError::Later(_))), "{refused:?}");
            assert_eq!(server.taken().len(), 1);
        }
    }

    #[tokio::test]
    async fn a_server_that_offers_no_tls_hears_nothing() {
        let server = Server::start(Behaviour::default()).await;
        let refused = send(&server, Security::StartTls, true).await;
        assert!(matches!(refused, Err(SendError::Later(_))), "{refused:?}");
        for word in ["AUTH", "MAIL", "RCPT", "DATA"] {
            assert!(!server.plain().contains(word), "{}", server.plain());
        }
    }

    #[test]
    fn authorities_are_certificates() {
        let server: SmtpServer = "smtps://mail.example.com".parse().unwrap();
        for bad in [&b""[..], b"x", b"-----BEGIN CERTIFICATE-----\nx\n"] {
            assert!(server.clone().trusting(bad.to_vec()).is_err());
        }
    }

    #[test]
    fn a_server_is_spoken_to_in_plain_only_on_this_machine() {
        for (url, security, shown) in [
            (
                "smtps://u:p@mail.example.com",
                Security::Implicit,
                "mail.example.com:465",
            ),
            (
                "smtp://u:p@mail.example.com",
                Security::StartTls,
                "mail.example.com:587",
            ),
            (
                "smtp://mail.example.com:25/",
                Security::StartTls,
                "mail.example.com:25",
            ),
            ("smtp://10.0.0.1", Security::StartTls, "10.0.0.1:587"),
            ("smtp://localhost", Security::Plain, "localhost:25"),
            ("smtp://127.0.0.1:2525", Security::Plain, "127.0.0.1:2525"),
            ("smtp://[::1]", Security::Plain, "::1:25"),
            ("smtps://localhost", Security::Implicit, "localhost:465"),
        ] {
            let server: SmtpServer = url.parse().unwrap_or_else(|_| panic!("{url}"));
            assert!(server.security == security, "{url}");
            assert_eq!(server.to_string(), shown);
        }
        for bad in [
            "",
            "mail.example.com",
            "http://mail.example.com",
            "smtp://",
            "smtp://u@mail.example.com",
            "smtp://:p@mail.example.com",
            "smtp://u:p@mail.example.com/path",
            "smtp://u:%ff@mail.example.com",
            "smtps://mail.example.com?tls=none",
        ] {
            assert!(bad.parse::<SmtpServer>().is_err(), "{bad}");
        }
    }

    #[test]
    fn nothing_shows_who_logs_in() {
        let server: SmtpServer = "smtps://canary-user:canary%40pass@mail.example.com"
            .parse()
            .unwrap();
        assert_eq!(
            server.credentials,
            Some(Credentials::new("canary-user".into(), "canary@pass".into()))
        );
        let wrong = "smtps://u:canary@[".parse::<SmtpServer>().unwrap_err();
        let clock = Arc::new(ringfence_ports::SystemClock);
        let mail = SmtpMail::new(&server, "example.com", clock).unwrap();
        let shown = format!("{server} {server:?} {wrong} {wrong:?} {mail:?}");
        assert!(!shown.contains("canary"), "{shown}");
    }
}
