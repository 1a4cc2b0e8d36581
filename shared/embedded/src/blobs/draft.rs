use std::collections::HashMap;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use ring::digest;
use ringfence_ports::{BlobError, OpenUpload, Random as _, SystemRandom};
use ringfence_sealing::{CHUNK, Sealer};

/// What a file that no row names yet is for.
enum Stage {
    /// It is being written, for this key.
    Open(String),
    /// Its upload was given up; whoever writes it learns so with the next piece.
    Aborted,
    /// Whole and synced, on its way into a commit.
    Committing,
}

/// The folder of the files, and those in it that are not objects yet.
pub(crate) struct Files {
    root: PathBuf,
    drafts: Mutex<HashMap<String, Stage>>,
    random: SystemRandom,
}

impl Files {
    pub(crate) fn new(root: PathBuf) -> Self {
        Self {
            root,
            drafts: Mutex::default(),
            random: SystemRandom::new(),
        }
    }

    pub(super) fn random(&self) -> &SystemRandom {
        &self.random
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Names are random, so their first two digits spread them over 256 folders.
    fn folder(&self, name: &str) -> PathBuf {
        self.root.join(name.get(..2).unwrap_or("xx"))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder(name).join(name)
    }

    pub(crate) fn is_draft(&self, name: &str) -> bool {
        self.lock().contains_key(name)
    }

    pub(crate) fn open_uploads(&self, prefix: &str) -> Vec<OpenUpload> {
        let drafts = self.lock();
        let mut open: Vec<OpenUpload> = drafts
            .iter()
            .filter_map(|(name, stage)| match stage {
                Stage::Open(key) if key.starts_with(prefix) => Some(OpenUpload {
                    key: key.clone(),
                    upload: name.clone(),
                }),
                _ => None,
            })
            .collect();
        open.sort_by(|a, b| (&a.key, &a.upload).cmp(&(&b.key, &b.upload)));
        open
    }

    pub(crate) fn abort(&self, upload: &OpenUpload) {
        if let Some(stage) = self.lock().get_mut(&upload.upload)
            && matches!(stage, Stage::Open(key) if *key == upload.key)
        {
            *stage = Stage::Aborted;
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Stage>> {
        self.drafts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn create(&self, name: &str) -> std::io::Result<File> {
        let create = || {
            OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(self.path(name))
        };
        match create() {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                make_folder(&self.folder(name))?;
                File::open(&self.root)?.sync_all()?;
                create()
            }
            other => other,
        }
    }
}

/// Holds its place among the drafts, and unlinks its file unless that became an object.
pub(crate) struct Committing {
    files: Arc<Files>,
    name: String,
    is_object: bool,
}

impl Committing {
    /// A durable row names the file.
    pub(crate) fn keep(mut self) {
        self.is_object = true;
    }
}

impl Drop for Committing {
    fn drop(&mut self) {
        if !self.is_object
            && let Err(error) = std::fs::remove_file(self.files.path(&self.name))
            && error.kind() != ErrorKind::NotFound
        {
            tracing::warn!(%error, "a file that is no object stays until the next start");
        }
        self.files.lock().remove(&self.name);
    }
}

/// A file that is being written. Its steps take it and give it back, since they run on other threads:
/// whoever stops waiting leaves a step that cleans up behind itself.
pub(crate) struct Draft {
    file: File,
    /// Of the plain bytes.
    hash: digest::Context,
    sealer: Sealer,
    /// What came and is not sealed yet, at most a chunk: whether that is the last one shows later.
    chunk: BytesMut,
    place: Committing,
}

impl Draft {
    pub(crate) async fn begin(
        files: &Arc<Files>,
        key: &str,
        sealer: Sealer,
    ) -> Result<Self, BlobError> {
        let mut name = [0; 16];
        files.random.fill(&mut name);
        let name = format!("{:032x}", u128::from_be_bytes(name));
        files
            .lock()
            .insert(name.clone(), Stage::Open(key.to_owned()));
        let place = Committing {
            files: Arc::clone(files),
            name,
            is_object: false,
        };
        blocking(move || {
            let mut file = place
                .files
                .create(&place.name)
                .map_err(|e| unavailable(&e))?;
            file.write_all(&sealer.header())
                .map_err(|e| unavailable(&e))?;
            Ok(Self {
                file,
                hash: digest::Context::new(&digest::SHA256),
                sealer,
                chunk: BytesMut::new(),
                place,
            })
        })
        .await?
    }

    pub(crate) fn name(&self) -> &str {
        &self.place.name
    }

    /// Adds these bytes.
    pub(crate) async fn write(mut self, parts: Vec<Bytes>) -> Result<Self, BlobError> {
        if matches!(
            self.place.files.lock().get(&self.place.name),
            Some(Stage::Aborted)
        ) {
            return Err(GIVEN_UP);
        }
        blocking(move || {
            self.append(parts)?;
            Ok(self)
        })
        .await?
    }

    /// Adds the last bytes, makes all of it durable, and answers with the SHA-256 of the plain bytes.
    pub(crate) async fn finish(mut self, parts: Vec<Bytes>) -> Result<(Self, [u8; 32]), BlobError> {
        blocking(move || {
            self.append(parts)?;
            self.seal(true)?;
            self.file
                .sync_all()
                .and_then(|()| {
                    // The folder's entry as well.
                    File::open(self.place.files.folder(&self.place.name))?.sync_all()
                })
                .map_err(|e| unavailable(&e))?;
            let mut sha256 = [0; 32];
            sha256.copy_from_slice(self.hash.clone().finish().as_ref());
            Ok((self, sha256))
        })
        .await?
    }

    /// The end of writing: from now on it cannot be given up.
    pub(crate) fn commit(self) -> Result<Committing, BlobError> {
        if let Some(stage) = self.place.files.lock().get_mut(&self.place.name) {
            if matches!(stage, Stage::Aborted) {
                return Err(GIVEN_UP);
            }
            *stage = Stage::Committing;
        }
        Ok(self.place)
    }

    fn append(&mut self, parts: Vec<Bytes>) -> Result<(), BlobError> {
        for mut part in parts {
            self.hash.update(&part);
            while !part.is_empty() {
                if self.chunk.len() == CHUNK {
                    self.seal(false)?;
                }
                let room = CHUNK - self.chunk.len();
                let taken = part.split_to(room.min(part.len()));
                self.chunk.extend_from_slice(&taken);
            }
        }
        Ok(())
    }

    /// Writes what waits as a chunk.
    fn seal(&mut self, is_last: bool) -> Result<(), BlobError> {
        self.sealer.seal(&mut self.chunk, is_last)?;
        self.file
            .write_all(&self.chunk)
            .map_err(|e| unavailable(&e))?;
        self.chunk.clear();
        Ok(())
    }
}

const GIVEN_UP: BlobError = BlobError::Invalid("the upload was given up");

/// Runs what waits for the disk where that holds up nobody.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, BlobError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| BlobError::Unavailable("the work was cut off".to_owned()))
}

/// The system's words, without the path.
pub(crate) fn unavailable(error: &std::io::Error) -> BlobError {
    BlobError::Unavailable(error.to_string())
}

pub(crate) fn make_folder(folder: &Path) -> std::io::Result<()> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}
