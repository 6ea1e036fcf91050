-- Who asks to have a host for themselves, and until when.  Ended ones are kept for a while.
CREATE TABLE claim (
    number INTEGER PRIMARY KEY,
    host TEXT NOT NULL,  -- as it was given
    short TEXT NOT NULL,  -- what all its names have in common (store.claims.short_of)
    user TEXT NOT NULL,
    made_by TEXT NOT NULL,  -- who called the command; mostly the user
    note TEXT NOT NULL,
    made_us INTEGER NOT NULL,
    until_us INTEGER NOT NULL,
    released_us INTEGER,  -- ended before its time; NULL: it was not
    released_by TEXT
);
CREATE INDEX claim_current ON claim (short, until_us) WHERE released_us IS NULL;
