-- Where the log was left: one row for each source that was ever followed.
CREATE TABLE position (
    source TEXT PRIMARY KEY,
    value TEXT NOT NULL,
    saved_us INTEGER NOT NULL
);

-- What the session engine remembers, as it wrote it.
CREATE TABLE connection (
    key TEXT PRIMARY KEY,
    body TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE host (
    name TEXT PRIMARY KEY,
    body TEXT NOT NULL
) WITHOUT ROWID;

-- Sessions as people see them, open and closed.
CREATE TABLE session (
    id TEXT PRIMARY KEY,
    host TEXT,
    service TEXT NOT NULL,
    user TEXT,
    ip TEXT,
    port INTEGER,
    method TEXT,
    key_fingerprint TEXT,
    login_us INTEGER,
    login_text TEXT,
    logout_us INTEGER,
    logout_text TEXT,
    duration REAL,
    reason TEXT,
    abnormal INTEGER NOT NULL,
    inferred INTEGER NOT NULL,
    state TEXT NOT NULL,
    tty TEXT,
    pid INTEGER,
    boot TEXT,
    begun_us INTEGER NOT NULL
);

CREATE INDEX session_open ON session (begun_us) WHERE state = 'open';
CREATE INDEX session_begun ON session (begun_us);
CREATE INDEX session_user ON session (user, begun_us);
CREATE INDEX session_ip ON session (ip, begun_us);

-- What `status` shows; plain text values.
CREATE TABLE fact (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

-- Lines of the programs that matter, by program: how many were understood.
CREATE TABLE coverage (
    program TEXT PRIMARY KEY,
    understood INTEGER NOT NULL DEFAULT 0,
    not_understood INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
