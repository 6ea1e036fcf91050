-- What the detectors remember.  A row that is replaced gets a new number: in the order of their
-- numbers the rows were last touched, and where a table is full the longest untouched goes first.
CREATE TABLE detector (
    number INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,  -- the table's name, a line break, its key
    body TEXT NOT NULL
);
