-- Lines read in each hour (microseconds UTC of its beginning), for `status`; two days are kept.
CREATE TABLE coverage_hour (
    hour_us INTEGER NOT NULL,
    program TEXT NOT NULL,
    understood INTEGER NOT NULL DEFAULT 0,
    not_understood INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (hour_us, program)
) WITHOUT ROWID;

-- Failed logins by hour, account and address, for the totals of `history`.  Who tries chooses the
-- names: what is beyond the bounds is counted under `…`, and the oldest rows go.
CREATE TABLE failure (
    hour_us INTEGER NOT NULL,
    user TEXT NOT NULL,
    ip TEXT NOT NULL,
    count INTEGER NOT NULL,
    last_us INTEGER NOT NULL,
    PRIMARY KEY (hour_us, user, ip)
) WITHOUT ROWID;
