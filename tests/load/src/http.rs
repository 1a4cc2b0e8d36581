//! As little of an HTTP/1.1 client as the benchmark needs, so that its own cost stays small.

use std::{fmt::Write as _, net::SocketAddr};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// A kept-alive connection.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// The bytes of a request.
pub(crate) fn request(
    method: &str,
    path: &str,
    key: &str,
    extra: &[(&str, &str)],
    body: &[u8],
) -> Vec<u8> {
    let mut head = format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n",
        body.len()
    );
    if !key.is_empty() {
        let _ = write!(head, "authorization: Bearer {key}\r\n");
    }
    for (name, value) in extra {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    head.push_str("\r\n");
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// Where the head of a message ends, and how long its body is.
pub(crate) fn head(bytes: &[u8]) -> Option<(usize, usize)> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let mut length = 0;
    for line in bytes.get(..end)?.split(|byte| *byte == b'\n') {
        if line.len() > 15
            && line
                .get(..15)
                .is_some_and(|name| name.eq_ignore_ascii_case(b"content-length:"))
        {
            length = std::str::from_utf8(line.get(15..)?)
                .ok()?
                .trim()
                .parse()
                .ok()?;
        }
    }
    Some((end, length))
}

impl Connection {
    pub(crate) async fn open(to: SocketAddr) -> Result<Self, String> {
        let stream = TcpStream::connect(to)
            .await
            .map_err(|error| format!("connect: {error}"))?;
        stream
            .set_nodelay(true)
            .map_err(|error| error.to_string())?;
        Ok(Self {
            stream,
            buffer: Vec::with_capacity(4096),
        })
    }

    /// Sends a request and reads the answer: its status and body.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> Result<(u16, Vec<u8>), String> {
        self.stream
            .write_all(request)
            .await
            .map_err(|error| format!("send: {error}"))?;
        self.buffer.clear();
        loop {
            let read = self
                .stream
                .read_buf(&mut self.buffer)
                .await
                .map_err(|error| format!("receive: {error}"))?;
            if read == 0 {
                return Err("the server closed the connection".to_owned());
            }
            if let Some((end, length)) = head(&self.buffer)
                && self.buffer.len() >= end + length
            {
                let status = self
                    .buffer
                    .get(9..12)
                    .and_then(|digits| std::str::from_utf8(digits).ok());
                let status = status
                    .and_then(|digits| digits.parse().ok())
                    .ok_or("no status")?;
                return Ok((
                    status,
                    self.buffer
                        .get(end..end + length)
                        .unwrap_or_default()
                        .to_vec(),
                ));
            }
        }
    }
}
