#![allow(dead_code, reason = "each test file uses its part")]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use ringfence_embedded::{Embedded, Options};
use ringfence_ports::contract::TestClock;
use ringfence_ports::{Consumer, Message, QueueName, Received};

pub const QUEUE: QueueName = QueueName("work");

/// A data folder that goes with the test.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "ringfence-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        Self(std::env::temp_dir().join(name))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn open(&self, clock: &TestClock) -> Embedded {
        self.open_with(&Options::default(), clock)
    }

    pub fn open_with(&self, options: &Options, clock: &TestClock) -> Embedded {
        Embedded::open(&self.0, options, Arc::new(clock.clone())).expect("opened")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub fn message(group: &str, body: &str) -> Message {
    delayed(group, body, 0)
}

pub fn delayed(group: &str, body: &str, seconds: u64) -> Message {
    let (group, body) = (group.to_owned(), body.to_owned());
    Message {
        queue: QUEUE,
        body,
        delay: Duration::from_secs(seconds),
        group,
    }
}

/// Takes down every batch; bodies that start with `bad` fail.
#[derive(Default)]
pub struct Recorder(pub Mutex<Vec<Vec<Received>>>);

impl Recorder {
    pub fn bodies(&self) -> Vec<String> {
        self.0
            .lock()
            .unwrap()
            .iter()
            .flatten()
            .map(|message| message.body.clone())
            .collect()
    }

    pub fn receives(&self) -> Vec<u32> {
        self.0
            .lock()
            .unwrap()
            .iter()
            .flatten()
            .map(|message| message.receives)
            .collect()
    }

    pub fn groups(&self) -> Vec<String> {
        self.0
            .lock()
            .unwrap()
            .iter()
            .map(|batch| batch[0].group.clone())
            .collect()
    }
}

#[async_trait]
impl Consumer for Recorder {
    async fn handle(&self, batch: Vec<Received>) -> Vec<String> {
        let failed = batch
            .iter()
            .filter(|m| m.body.starts_with("bad"))
            .map(|m| m.id.clone())
            .collect();
        self.0.lock().unwrap().push(batch);
        failed
    }
}
