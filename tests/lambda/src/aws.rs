//! What stands in for AWS behind a function.

use std::{net::TcpListener, thread, time::Duration};

use crate::http;

/// How AWS behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aws {
    /// The table is there and has no row; queues and keys take what they get.
    Empty,
    /// Nothing listens.
    Refusing,
    /// Connections are taken, and nothing is ever answered.
    Silent,
}

impl Aws {
    /// Starts it, and answers with its URL.
    pub(crate) fn start(self) -> String {
        let address = match self {
            Self::Empty => http::serve(|request| {
                let body = match request
                    .header("x-amz-target")
                    .and_then(|target| target.split_once('.'))
                {
                    Some((_, "Query")) => r#"{"Items":[],"Count":0,"ScannedCount":0}"#,
                    // A key's MAC: whoever signs with what follows from it can go on.
                    Some((_, "GenerateMac")) => {
                        r#"{"Mac":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=","MacAlgorithm":"HMAC_SHA_256"}"#
                    }
                    Some((_, "BatchGetItem")) => r#"{"Responses":{},"UnprocessedKeys":{}}"#,
                    _ => "{}",
                };
                let kind = ("content-type", "application/x-amz-json-1.0".to_owned());
                Some((200, vec![kind], body.as_bytes().to_vec()))
            }),
            Self::Refusing => {
                let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
                listener.local_addr().expect("an address")
            }
            Self::Silent => http::serve(|_| {
                loop {
                    thread::sleep(Duration::from_mins(1));
                }
            }),
        };
        format!("http://{address}")
    }
}
