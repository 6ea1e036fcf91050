-- What waits on purpose, what was dropped, and that somebody asked to try again.

-- Not before this moment (microseconds UTC); NULL: at once.
ALTER TABLE deliveries ADD COLUMN held_us INTEGER;
-- Not empty: told only in a digest, with others of the same bundle.
ALTER TABLE deliveries ADD COLUMN bundle TEXT NOT NULL DEFAULT '';

-- Dropped because too many waited, or for too long, and not yet announced.
ALTER TABLE channels ADD COLUMN dropped_routine INTEGER NOT NULL DEFAULT 0;
ALTER TABLE channels ADD COLUMN dropped_abnormal INTEGER NOT NULL DEFAULT 0;
-- When the first and the last of them had happened (microseconds UTC).
ALTER TABLE channels ADD COLUMN dropped_first_us INTEGER;
ALTER TABLE channels ADD COLUMN dropped_last_us INTEGER;
-- All that were ever dropped, for `status`.
ALTER TABLE channels ADD COLUMN dropped_total INTEGER NOT NULL DEFAULT 0;
-- When `outbox retry` asked for the channel to be tried at once (microseconds UTC).
ALTER TABLE channels ADD COLUMN nudged_us INTEGER;
