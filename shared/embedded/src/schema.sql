-- Rows lie in the order in which they came, documents last, so that a new one touches the table's
-- last page; a clustered (WITHOUT ROWID) table of 1 KB documents spills each into overflow pages and
-- dirties a page per row.
CREATE TABLE rows (
    id INTEGER PRIMARY KEY,
    pk TEXT NOT NULL,
    sk TEXT NOT NULL,
    version INTEGER NOT NULL,
    expires INTEGER,
    i0pk TEXT,
    i0sk TEXT,
    i1pk TEXT,
    i1sk TEXT,
    doc TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX rows_key ON rows (pk, sk);
CREATE INDEX rows_index_0 ON rows (i0pk, i0sk, pk, sk) WHERE i0pk IS NOT NULL;
CREATE INDEX rows_index_1 ON rows (i1pk, i1sk, pk, sk) WHERE i1pk IS NOT NULL;
CREATE INDEX rows_expires ON rows (expires) WHERE expires IS NOT NULL;

CREATE TABLE counters (
    pk TEXT NOT NULL,
    sk TEXT NOT NULL,
    value INTEGER NOT NULL,
    expires INTEGER,
    PRIMARY KEY (pk, sk)
) STRICT, WITHOUT ROWID;
CREATE INDEX counters_expires ON counters (expires) WHERE expires IS NOT NULL;

-- Messages that are also in memory. Small, without an index: insert at the end, delete near the start.
CREATE TABLE queue_ready (
    id INTEGER PRIMARY KEY,
    queue TEXT NOT NULL,
    grp TEXT NOT NULL,
    receives INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;

-- Messages beyond what memory holds; read back group by group.
CREATE TABLE queue_backlog (
    id INTEGER PRIMARY KEY,
    queue TEXT NOT NULL,
    grp TEXT NOT NULL,
    receives INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX queue_backlog_order ON queue_backlog (queue, grp, id);

-- Messages that are not due yet.
CREATE TABLE queue_delayed (
    id INTEGER PRIMARY KEY,
    due INTEGER NOT NULL,
    queue TEXT NOT NULL,
    grp TEXT NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX queue_delayed_due ON queue_delayed (due);

CREATE TABLE dead_letters (
    id INTEGER PRIMARY KEY,
    queue TEXT NOT NULL,
    grp TEXT NOT NULL,
    receives INTEGER NOT NULL,
    died_at INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX dead_letters_queue ON dead_letters (queue, id);
