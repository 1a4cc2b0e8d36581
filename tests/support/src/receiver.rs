use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use http::HeaderMap;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// What a [`Receiver`] got.
#[derive(Clone, Debug)]
pub struct Post {
    /// The request's path.
    pub path: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, exactly.
    pub body: Vec<u8>,
}

impl Post {
    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// A header's text.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

/// What a [`Receiver`] answers.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Further header lines, each with its line end.
    pub headers: String,
    /// The body.
    pub body: String,
}

impl Answer {
    /// Just a status.
    pub fn status(status: u16) -> Self {
        Self {
            status,
            headers: String::new(),
            body: String::new(),
        }
    }
}

#[derive(Default)]
struct State {
    posts: Vec<Post>,
    answers: VecDeque<Answer>,
    always: Option<Answer>,
}

/// A receiver on loopback: keeps what it gets, and answers 204 or as told.
pub struct Receiver {
    /// Where it listens.
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Receiver {
    /// Starts one.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = state.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, shared.clone()));
            }
        });
        Self { address, state }
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://{}/callback", self.address)
    }

    /// Answers the next request so.
    pub fn next(&self, answer: Answer) {
        self.state.lock().unwrap().answers.push_back(answer);
    }

    /// Answers every request so from now on (`None`: 204).
    pub fn always(&self, answer: Option<Answer>) {
        self.state.lock().unwrap().always = answer;
    }

    /// All that it has got so far.
    pub fn posts(&self) -> Vec<Post> {
        self.state.lock().unwrap().posts.clone()
    }

    /// The same, and forgets it.
    pub fn take(&self) -> Vec<Post> {
        std::mem::take(&mut self.state.lock().unwrap().posts)
    }
}

async fn serve(mut stream: TcpStream, state: Arc<Mutex<State>>) {
    let mut buffer = Vec::new();
    loop {
        let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") else {
            match stream.read_buf(&mut buffer).await {
                Ok(0) | Err(_) => return,
                Ok(_) => continue,
            }
        };
        let head = String::from_utf8(buffer[..end].to_vec()).unwrap();
        let mut lines = head.split("\r\n");
        let path = lines.next().unwrap().split(' ').nth(1).unwrap().to_owned();
        let mut headers = HeaderMap::new();
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            headers.append(
                http::HeaderName::from_bytes(name.as_bytes()).unwrap(),
                value.trim().parse().unwrap(),
            );
        }
        let length: usize = headers
            .get("content-length")
            .map_or(0, |text| text.to_str().unwrap().parse().unwrap());
        while buffer.len() < end + 4 + length {
            match stream.read_buf(&mut buffer).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
        let body = buffer[end + 4..end + 4 + length].to_vec();
        buffer.drain(..end + 4 + length);
        let answer = {
            let mut state = state.lock().unwrap();
            state.posts.push(Post {
                path,
                headers,
                body,
            });
            let next = state.answers.pop_front();
            next.or_else(|| state.always.clone())
                .unwrap_or_else(|| Answer::status(204))
        };
        let text = format!(
            "HTTP/1.1 {} X\r\ncontent-length: {}\r\n{}\r\n{}",
            answer.status,
            answer.body.len(),
            answer.headers,
            answer.body
        );
        if stream.write_all(text.as_bytes()).await.is_err() {
            return;
        }
    }
}
