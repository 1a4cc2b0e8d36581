//! A folder in place of a mail server and a phone network.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use async_trait::async_trait;
use jiff::Timestamp;
use ringfence_ports::{Clock, Email, Mail, SendError, Sms, TextMessage};

use crate::mail::mime;

/// How many messages are kept; the oldest go first.
const MAX_MESSAGES: usize = 1000;
/// Bytes of all of them.
const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// [`Mail`] and [`Sms`] as files: `{id}.eml` as a mail program opens it, `{id}.txt` with the number and
/// the text.
///
/// What is answered with `Ok` is on disk. A second message of the same id is the first one: nothing
/// arrives twice. The files are for their owner alone (mode 0600), for links in mails open accounts; the
/// newest 1,000 are kept.
#[derive(Clone)]
pub struct Outbox {
    folder: Arc<Path>,
    clock: Arc<dyn Clock>,
    /// One at a time.
    turn: Arc<Mutex<()>>,
}

/// A message in the folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxEntry {
    /// The file's name: the message's id, and `.eml` or `.txt`.
    pub name: String,
    /// When it was written.
    pub at: Timestamp,
    /// Its size, in bytes.
    pub bytes: u64,
}

impl std::fmt::Debug for Outbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Outbox").field(&self.folder).finish()
    }
}

impl Outbox {
    /// Over this folder, which is made with the first message. The clock dates mails.
    pub fn new(folder: impl Into<PathBuf>, clock: Arc<dyn Clock>) -> Self {
        Self {
            folder: folder.into().into(),
            clock,
            turn: Arc::default(),
        }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What is there, oldest first.
    pub fn list(&self) -> io::Result<Vec<OutboxEntry>> {
        let entries = match std::fs::read_dir(&self.folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            other => other?,
        };
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry?;
            let Some(name) = entry.file_name().to_str().and_then(message_name) else {
                continue;
            };
            // One that is removed meanwhile is none.
            let Ok(metadata) = entry.metadata() else {
                continue;
            };
            let at = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            found.push(OutboxEntry {
                name,
                at: Timestamp::try_from(at).unwrap_or(Timestamp::UNIX_EPOCH),
                bytes: metadata.len(),
            });
        }
        found.sort_by(|a, b| (a.at, &a.name).cmp(&(b.at, &b.name)));
        Ok(found)
    }

    /// A message, as it lies there.
    pub fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let name = message_name(name).ok_or(ErrorKind::NotFound)?;
        std::fs::read(self.folder.join(name))
    }

    async fn keep(&self, name: String, bytes: Vec<u8>) -> Result<(), SendError> {
        let outbox = self.clone();
        let written = tokio::task::spawn_blocking(move || {
            let _turn = outbox.turn.lock().unwrap_or_else(PoisonError::into_inner);
            outbox.write(&name, &bytes)?;
            outbox.prune()
        });
        match written.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(SendError::Later(format!(
                "the outbox folder cannot be written: {}",
                error.kind()
            ))),
            Err(_) => Err(SendError::Later("the outbox is closed".to_owned())),
        }
    }

    /// Under another name first, so that a message is there whole or not at all.
    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.folder)?;
        let draft = self.folder.join("draft.new");
        match std::fs::remove_file(&draft) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut out = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&draft)?;
        out.write_all(bytes)?;
        out.sync_all()?;
        match std::fs::hard_link(&draft, self.folder.join(name)) {
            // It was sent before.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            other => other?,
        }
        std::fs::remove_file(&draft)?;
        File::open(&self.folder)?.sync_all()?;
        match self.folder.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => File::open(parent)?.sync_all(),
            _ => Ok(()),
        }
    }

    fn prune(&self) -> io::Result<()> {
        let all = self.list()?;
        let mut bytes: u64 = all.iter().map(|entry| entry.bytes).sum();
        let mut count = all.len();
        for entry in &all {
            if count <= MAX_MESSAGES && bytes <= MAX_BYTES {
                break;
            }
            std::fs::remove_file(self.folder.join(&entry.name))?;
            count -= 1;
            bytes -= entry.bytes;
        }
        Ok(())
    }
}

/// The name of a file that is a message of ours.
fn message_name(name: &str) -> Option<String> {
    let id = name
        .strip_suffix(".eml")
        .or_else(|| name.strip_suffix(".txt"))?;
    let is_id = !id.is_empty()
        && id
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    is_id.then(|| name.to_owned())
}

#[async_trait]
impl Mail for Outbox {
    async fn send(&self, mail: &Email) -> Result<(), SendError> {
        let message = mime(mail, self.clock.now())?;
        self.keep(format!("{}.eml", mail.id), message.formatted())
            .await
    }
}

#[async_trait]
impl Sms for Outbox {
    async fn send(&self, message: &TextMessage) -> Result<(), SendError> {
        message.validate()?;
        let content = format!("To: {}\n\n{}\n", message.to, message.text);
        self.keep(format!("{}.txt", message.id), content.into_bytes())
            .await
    }
}
