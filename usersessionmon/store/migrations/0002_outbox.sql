-- Notices that wait for delivery.  The fields are kept and not a channel's body: a body is signed
-- and worded at the moment of sending.

-- AUTOINCREMENT: a number is never given twice, even after the notice is gone.
CREATE TABLE notices (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    queued_us INTEGER NOT NULL,
    fields TEXT NOT NULL  -- JSON of model.Notice, ASCII only
);

-- One row for each channel that has not had the notice yet; deleted when delivered.
CREATE TABLE deliveries (
    channel TEXT NOT NULL,
    number INTEGER NOT NULL REFERENCES notices (number),
    routine INTEGER NOT NULL,  -- 0: abnormal, goes first
    queued_us INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    plain INTEGER NOT NULL DEFAULT 0,
    tried_us INTEGER,
    said TEXT NOT NULL DEFAULT '',
    aside_us INTEGER,  -- when it was refused for good; NULL: waiting
    PRIMARY KEY (channel, number)
);

CREATE INDEX deliveries_waiting ON deliveries (channel, routine, number) WHERE aside_us IS NULL;
CREATE INDEX deliveries_of_notice ON deliveries (number);

-- notify.base.ChannelState, for `status`.
CREATE TABLE channels (
    name TEXT PRIMARY KEY,
    answer TEXT,
    said TEXT NOT NULL,
    failures_in_row INTEGER NOT NULL,
    delivered_us INTEGER,
    tried_us INTEGER,
    retry_us INTEGER
);
