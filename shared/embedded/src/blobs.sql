-- Objects: which file holds what. A file that no row names is an orphan, and is removed.
CREATE TABLE blobs (
    key TEXT PRIMARY KEY,
    file TEXT NOT NULL,
    length INTEGER NOT NULL,
    content_type TEXT NOT NULL,
    sha256 BLOB NOT NULL,
    stored INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX blobs_file ON blobs (file);
