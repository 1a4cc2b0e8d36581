//! The folder that a demo plays in.

use std::{
    fs, io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use ringfence_ports::{Random as _, SystemRandom};

use crate::cli::failure::Failure;

/// A folder of the demo's own: given and kept, or made and removed.
pub struct Scratch {
    path: PathBuf,
    is_kept: bool,
}

impl Scratch {
    /// `kept`, which must be empty or not exist, or else a temporary folder that nobody else can enter.
    pub fn new(kept: Option<&Path>) -> Result<Self, Failure> {
        if let Some(path) = kept {
            let is_new = match fs::read_dir(path) {
                Ok(mut entries) => entries.next().is_none(),
                Err(error) => error.kind() == io::ErrorKind::NotFound,
            };
            return if is_new {
                Ok(Self {
                    path: path.to_owned(),
                    is_kept: true,
                })
            } else {
                Err(Failure::NotNew(path.to_owned()))
            };
        }
        let mut bytes = [0; 8];
        SystemRandom::new().fill(&mut bytes);
        let path =
            std::env::temp_dir().join(format!("ringfence-demo-{:016x}", u64::from_ne_bytes(bytes)));
        fs::DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .map_err(Failure::Scratch)?;
        Ok(Self {
            path,
            is_kept: false,
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !self.is_kept {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}
