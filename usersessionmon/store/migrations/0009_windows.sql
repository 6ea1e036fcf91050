-- What is remembered of each Windows host, as the engine for Windows wrote it.
CREATE TABLE windows (
    origin TEXT PRIMARY KEY,
    body TEXT NOT NULL
) WITHOUT ROWID;

-- The desktop session that several rows share; NULL: the row's own id is the session's.
ALTER TABLE session ADD COLUMN desktop TEXT;
-- Who ended it, where somebody else did, and from where.
ALTER TABLE session ADD COLUMN by_user TEXT;
ALTER TABLE session ADD COLUMN by_ip TEXT;
-- 1: only the connection is over, the desktop session lives on.
ALTER TABLE session ADD COLUMN kept INTEGER NOT NULL DEFAULT 0;
