//! A client of Ringfence's own API, on one connection: what the demo posts with.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

const MAX_ANSWER_BYTES: usize = 1024 * 1024;

/// What went wrong. Holds no part of a request.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("cannot connect: {0}")]
    Connect(#[from] std::io::Error),
    #[error(transparent)]
    Http(#[from] hyper::Error),
    #[error("the request cannot be written: {0}")]
    Request(#[from] http::Error),
    #[error("the answer cannot be read")]
    Answer,
    #[error("{method} {path} was answered with {status}")]
    Status {
        method: Method,
        path: String,
        status: StatusCode,
    },
}

/// A client with an API key.
pub struct Client {
    server: SocketAddr,
    key: String,
    connection: Option<SendRequest<Full<Bytes>>>,
}

impl Client {
    /// A client that has not connected yet.
    pub fn new(server: SocketAddr, key: String) -> Self {
        Self {
            server,
            key,
            connection: None,
        }
    }

    /// Posts a body.
    pub async fn post(
        &mut self,
        path: &str,
        content_type: &str,
        body: Bytes,
    ) -> Result<Value, ClientError> {
        let request = Request::post(path).header(header::CONTENT_TYPE, content_type);
        self.send(request, body).await
    }

    /// Sends a merge patch of a settings document that was never saved.
    pub async fn patch_first(&mut self, path: &str, changes: &Value) -> Result<Value, ClientError> {
        let request = Request::patch(path)
            .header(header::CONTENT_TYPE, "application/merge-patch+json")
            .header(header::IF_MATCH, "\"0\"");
        self.send(request, Bytes::from(changes.to_string())).await
    }

    async fn send(
        &mut self,
        request: http::request::Builder,
        body: Bytes,
    ) -> Result<Value, ClientError> {
        let request = request
            .header(header::HOST, self.server.to_string())
            .header(header::AUTHORIZATION, format!("Bearer {}", self.key))
            .body(Full::new(body))?;
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let response = self.connection().await?.send_request(request).await?;
        let status = response.status();
        let answer = Limited::new(response.into_body(), MAX_ANSWER_BYTES)
            .collect()
            .await
            .map_err(|_| ClientError::Answer)?
            .to_bytes();
        if !status.is_success() {
            return Err(ClientError::Status {
                method,
                path,
                status,
            });
        }
        serde_json::from_slice(&answer).map_err(|_| ClientError::Answer)
    }

    /// The connection, or a new one where the server has closed it.
    async fn connection(&mut self) -> Result<&mut SendRequest<Full<Bytes>>, ClientError> {
        let usable = match &mut self.connection {
            Some(connection) => connection.ready().await.is_ok(),
            None => false,
        };
        if !usable {
            self.connection = None;
        }
        if self.connection.is_none() {
            let stream = TcpStream::connect(self.server).await?;
            stream.set_nodelay(true)?;
            let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
            // Its errors come out of the request that they hit.
            tokio::spawn(async move { drop(connection.await) });
            self.connection = Some(sender);
        }
        self.connection.as_mut().ok_or(ClientError::Answer)
    }
}
