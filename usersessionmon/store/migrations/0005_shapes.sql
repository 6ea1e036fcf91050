-- Lines that no rule understands, by shape (names and addresses masked), for `status`.
CREATE TABLE shape (
    program TEXT NOT NULL,
    text TEXT NOT NULL,
    count INTEGER NOT NULL,
    last_us INTEGER NOT NULL,
    PRIMARY KEY (program, text)
) WITHOUT ROWID;
