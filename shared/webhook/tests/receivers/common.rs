//! Raw loopback servers that do what no well-behaved one does, and a sender that may reach them.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use ringfence_webhook::send::Options;
use ringfence_webhook::target::{Resolve, SystemResolver};
use ringfence_webhook::{Attempt, ExtraHeaders, Key, Outgoing, Policy, Sender, Target, Timeouts};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::net::{TcpListener, TcpStream};

pub const AT: i64 = 1_614_265_330;
pub const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
pub const BODY: &str = r#"{"test": 2432232314}"#;
pub const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// Longer than any test takes on a busy machine, so that hitting it is a failure.
pub const PLENTY: Timeouts = Timeouts {
    connect: Duration::from_secs(20),
    first_byte: Duration::from_secs(20),
    total: Duration::from_secs(20),
};

/// A server and the number of connections it accepted.
pub struct Server {
    pub address: SocketAddr,
    accepted: Arc<AtomicUsize>,
}

impl Server {
    /// Hands each connection, with its number from 0, to `handle`.
    pub async fn start<F, H>(handle: H) -> Self
    where
        H: Fn(TcpStream, usize) -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let accepted = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&accepted);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(handle(stream, count.fetch_add(1, Ordering::SeqCst)));
            }
        });
        Self { address, accepted }
    }

    /// Answers every request with the same bytes and keeps the connection.
    pub async fn answering(response: impl Into<Bytes>) -> Self {
        let response = response.into();
        Self::start(move |mut stream, _| {
            let response = response.clone();
            async move {
                while read_request(&mut stream).await.is_some() {
                    write(&mut stream, &response).await;
                }
            }
        })
        .await
    }

    pub fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    pub fn target(&self) -> Target {
        Target::parse(&format!("http://{}/hook?a=b", self.address), &policy()).unwrap()
    }
}

/// Writes what the peer takes; whether it took all.
pub async fn write(stream: &mut (impl tokio::io::AsyncWrite + Unpin), bytes: &[u8]) -> bool {
    use tokio::io::AsyncWriteExt as _;
    stream.write_all(bytes).await.is_ok() && stream.flush().await.is_ok()
}

/// Reads one request: its head and its body. `None` at the end of the connection.
pub async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> Option<(String, String)> {
    let mut seen = Vec::new();
    loop {
        if let Some(end) = seen.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8(seen[..end + 2].to_vec())
                .unwrap()
                .to_ascii_lowercase();
            let length = head.split("content-length: ").nth(1).unwrap();
            let length: usize = length.split("\r\n").next().unwrap().parse().unwrap();
            if seen.len() >= end + 4 + length {
                let body = String::from_utf8(seen[end + 4..].to_vec()).unwrap();
                return Some((String::from_utf8(seen[..end + 2].to_vec()).unwrap(), body));
            }
        }
        if stream.read_buf(&mut seen).await.ok()? == 0 {
            return None;
        }
    }
}

/// What tests may reach: this machine.
pub fn policy() -> Policy {
    Policy::public().allow_subnet("127.0.0.0/8".parse().unwrap())
}

pub fn sender(options: Options) -> Sender {
    Sender::new(policy(), Arc::new(SystemResolver), options).unwrap()
}

pub fn key() -> Key {
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().unwrap()
}

pub async fn send(sender: &Sender, target: &Target, timeouts: Timeouts) -> Attempt {
    let keys = [key()];
    let headers = ExtraHeaders::new([("x-tenant", "blue")]).unwrap();
    let message = Outgoing {
        target,
        id: ID,
        timestamp: AT,
        keys: &keys,
        headers: &headers,
        content_type: HeaderValue::from_static("application/json"),
        body: Bytes::from_static(BODY.as_bytes()),
        timeouts,
    };
    sender.send(message).await
}

/// Sends once with a new sender.
pub async fn send_once(server: &Server) -> Attempt {
    send(&sender(Options::default()), &server.target(), PLENTY).await
}

/// Answers each lookup with the next of its answers, the last one again and again.
pub struct Script {
    answers: Vec<Vec<IpAddr>>,
    asked: AtomicUsize,
}

impl Script {
    pub fn new(answers: &[&[&str]]) -> Arc<Self> {
        let parse = |answer: &&[&str]| answer.iter().map(|a| a.parse().unwrap()).collect();
        Arc::new(Self {
            answers: answers.iter().map(parse).collect(),
            asked: AtomicUsize::new(0),
        })
    }

    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

#[async_trait::async_trait]
impl Resolve for Script {
    async fn resolve(&self, _: &str) -> std::io::Result<Vec<IpAddr>> {
        let asked = self.asked.fetch_add(1, Ordering::SeqCst);
        Ok(self.answers[asked.min(self.answers.len() - 1)].clone())
    }
}
