use std::path::PathBuf;

use ringfence_ports::StoreError;
use rusqlite::ErrorCode;

/// Why a data folder cannot be opened. Each is one line that an operator can act on.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process works on this folder.
    #[error("the data folder {} is in use by another process", folder.display())]
    Held {
        /// The folder.
        folder: PathBuf,
    },
    /// The path is something else.
    #[error("{} is not a folder", folder.display())]
    NotAFolder {
        /// The path.
        folder: PathBuf,
    },
    /// The folder, or a file in it, cannot be created, read or written.
    #[error("the data folder {} cannot be written: {cause}", folder.display())]
    Unwritable {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// A later version of this program wrote the database.
    #[error("the database was written by a newer version (schema {found}; this one knows {known})")]
    Newer {
        /// Its schema version.
        found: i64,
        /// The one of this program.
        known: i64,
    },
    /// The database file is damaged, or something else altogether.
    #[error("the database {} is damaged: {cause}", file.display())]
    Corrupt {
        /// The file.
        file: PathBuf,
        /// What `SQLite` said.
        cause: String,
    },
    /// No room left on the disk.
    #[error("the disk under {} is full", folder.display())]
    Full {
        /// The folder.
        folder: PathBuf,
    },
    /// The key file cannot be used.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// Anything else that `SQLite` refused.
    #[error("the database cannot be opened: {0}")]
    Database(String),
}

/// Why a key file cannot be used. Never holds key material.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// There is data, but not the key that sealed its secrets. It is never made anew.
    #[error("the key file {} is missing, but there is a database sealed under it: restore it", file.display())]
    Missing {
        /// Where it should be.
        file: PathBuf,
    },
    /// Others may read it.
    #[error("the key file {} is open to others (mode {mode:03o}): chmod 600 it", file.display())]
    Exposed {
        /// The file.
        file: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It is not one or more keys.
    #[error("the key file {} is damaged: it must hold keys of 32 bytes each, and nothing else", file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
    },
    /// It takes no further key.
    #[error("the key file {} holds as many keys as it can", file.display())]
    Full {
        /// The file.
        file: PathBuf,
    },
    /// It cannot be created or read.
    #[error("the key file {} cannot be read or created: {cause}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
}

/// What `SQLite` says about a statement or commit; its messages name tables, never values.
pub(crate) fn unavailable(error: &rusqlite::Error) -> StoreError {
    StoreError::Unavailable(error.to_string())
}

pub(crate) fn closed() -> StoreError {
    StoreError::Unavailable("the store is closed".to_owned())
}

impl OpenError {
    pub(crate) fn io(folder: &std::path::Path, cause: std::io::Error) -> Self {
        let folder = folder.to_path_buf();
        match cause.kind() {
            std::io::ErrorKind::NotADirectory => Self::NotAFolder { folder },
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                Self::Full { folder }
            }
            _ => Self::Unwritable { folder, cause },
        }
    }

    pub(crate) fn sqlite(folder: &std::path::Path, error: &rusqlite::Error) -> Self {
        let folder = folder.to_path_buf();
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => Self::Corrupt {
                file: folder.join(crate::store::DATABASE),
                cause: error.to_string(),
            },
            Some(ErrorCode::DiskFull) => Self::Full { folder },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Held { folder },
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                Self::Unwritable {
                    folder,
                    cause: std::io::Error::other(error.to_string()),
                }
            }
            _ => Self::Database(error.to_string()),
        }
    }
}
