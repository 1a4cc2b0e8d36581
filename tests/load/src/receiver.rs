//! The receiver: answers 204 to everything and notes when which event came.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::http;

pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    notes: Arc<Notes>,
}

struct Notes {
    start: Instant,
    run: AtomicUsize,
    received: AtomicUsize,
    sent_at: Vec<AtomicU64>,
    received_at: Vec<AtomicU64>,
}

impl Receiver {
    pub(crate) async fn start(capacity: usize) -> Result<Self, String> {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .map_err(|error| error.to_string())?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        let notes = Arc::new(Notes {
            start: Instant::now(),
            run: AtomicUsize::new(0),
            received: AtomicUsize::new(0),
            sent_at: (0..capacity).map(|_| AtomicU64::new(0)).collect(),
            received_at: (0..capacity).map(|_| AtomicU64::new(0)).collect(),
        });
        let shared = notes.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, shared.clone()));
            }
        });
        Ok(Self { address, notes })
    }

    /// A new run; answers its number.
    pub(crate) fn begin(&self, events: usize) -> usize {
        for index in 0..events {
            self.notes.sent_at[index].store(0, Ordering::Relaxed);
            self.notes.received_at[index].store(0, Ordering::Relaxed);
        }
        self.notes.received.store(0, Ordering::Relaxed);
        self.notes.run.fetch_add(1, Ordering::AcqRel) + 1
    }

    pub(crate) fn sent(&self, index: usize) {
        self.notes.sent_at[index].store(self.notes.now(), Ordering::Relaxed);
    }

    pub(crate) async fn wait_for(&self, events: usize, longest: Duration) -> Result<(), String> {
        let end = Instant::now() + longest;
        while self.notes.received.load(Ordering::Acquire) < events {
            if Instant::now() > end {
                let got = self.notes.received.load(Ordering::Acquire);
                return Err(format!("only {got} of {events} events arrived"));
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    }

    /// Nanoseconds from sent to received, an entry an event.
    pub(crate) fn latencies(&self, events: usize) -> Vec<u64> {
        (0..events)
            .map(|index| {
                let received = self.notes.received_at[index].load(Ordering::Relaxed);
                received.saturating_sub(self.notes.sent_at[index].load(Ordering::Relaxed))
            })
            .collect()
    }
}

impl Notes {
    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Notes every event id of this run in a body.
    fn note(&self, body: &[u8]) {
        let run = self.run.load(Ordering::Acquire);
        let mut rest = body;
        while let Some(at) = find(rest, b"\"load-") {
            rest = rest.get(at + 6..).unwrap_or_default();
            let end = rest.iter().position(|byte| *byte == b'"').unwrap_or(0);
            let id = rest
                .get(..end)
                .and_then(|id| std::str::from_utf8(id).ok())
                .unwrap_or("");
            let Some((of_run, index)) = id.split_once('-') else {
                continue;
            };
            let (Ok(of_run), Ok(index)) = (of_run.parse::<usize>(), index.parse::<usize>()) else {
                continue;
            };
            if of_run == run
                && let Some(slot) = self.received_at.get(index)
                && slot
                    .compare_exchange(0, self.now(), Ordering::AcqRel, Ordering::Relaxed)
                    .is_ok()
            {
                self.received.fetch_add(1, Ordering::AcqRel);
            }
        }
    }
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

async fn serve(mut stream: TcpStream, notes: Arc<Notes>) {
    let _ = stream.set_nodelay(true);
    let mut buffer = Vec::with_capacity(8192);
    loop {
        match stream.read_buf(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        while let Some((end, length)) = http::head(&buffer) {
            if buffer.len() < end + length {
                break;
            }
            notes.note(
                buffer
                    .get(end..(end + length).min(end + 400))
                    .unwrap_or_default(),
            );
            buffer.drain(..end + length);
            if stream
                .write_all(b"HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n")
                .await
                .is_err()
            {
                return;
            }
        }
    }
}
