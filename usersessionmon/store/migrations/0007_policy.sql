-- What waits on purpose, what was dropped, and that somebody asked to try again.

-- Not before this moment (microseconds UTC); NULL: at once.
ALTER TABLE deliveries ADD COLUMN held_us INTEGER;
-- Not empty: told only in a digest, with others of the same bundle.
ALTER TABLE deliveries ADD COLUMN bundle TEXT NOT NULL DEFAULT '';
-- 1 while an exchange with it is under way: who finds it at a start was killed meanwhile.
ALTER TABLE deliveries ADD COLUMN begun INTEGER NOT NULL DEFAULT 0;
CREATE INDEX deliveries_begun ON deliveries (channel) WHERE begun = 1;
-- When each exchange of the last minute began: a new start keeps the pace, too.
CREATE TABLE exchanges (channel TEXT NOT NULL, at_us INTEGER NOT NULL);
DROP INDEX deliveries_waiting;
CREATE INDEX deliveries_waiting ON deliveries (channel, routine, number, bundle, held_us, aside_us)
    WHERE aside_us IS NULL;
CREATE INDEX deliveries_held ON deliveries (channel, held_us)
    WHERE held_us IS NOT NULL AND aside_us IS NULL;

-- Dropped because too many waited, or for too long, and not yet announced.
ALTER TABLE channels ADD COLUMN dropped_routine INTEGER NOT NULL DEFAULT 0;
ALTER TABLE channels ADD COLUMN dropped_abnormal INTEGER NOT NULL DEFAULT 0;
-- When the first and the last of them had happened (microseconds UTC).
ALTER TABLE channels ADD COLUMN dropped_first_us INTEGER;
ALTER TABLE channels ADD COLUMN dropped_last_us INTEGER;
-- All that were ever dropped, for `status`.
ALTER TABLE channels ADD COLUMN dropped_total INTEGER NOT NULL DEFAULT 0;
-- The notice that announced some of them; while it waits, no other is made and it is not dropped.
ALTER TABLE channels ADD COLUMN announcement INTEGER;
-- When `outbox retry` asked for the channel to be tried at once (microseconds UTC).
ALTER TABLE channels ADD COLUMN nudged_us INTEGER;

-- How many wait, kept by triggers: to count them for every event would take ever longer.
ALTER TABLE channels ADD COLUMN waiting INTEGER NOT NULL DEFAULT 0;
INSERT OR IGNORE INTO channels (name, said, failures_in_row)
    SELECT DISTINCT channel, '', 0 FROM deliveries;
UPDATE channels SET waiting =
    (SELECT count(*) FROM deliveries d WHERE d.channel = channels.name AND d.aside_us IS NULL);
CREATE TRIGGER deliveries_come AFTER INSERT ON deliveries WHEN NEW.aside_us IS NULL
BEGIN
    INSERT INTO channels (name, said, failures_in_row) SELECT NEW.channel, '', 0
        WHERE NOT EXISTS (SELECT 1 FROM channels WHERE name = NEW.channel);
    UPDATE channels SET waiting = waiting + 1 WHERE name = NEW.channel;
END;
CREATE TRIGGER deliveries_go AFTER DELETE ON deliveries WHEN OLD.aside_us IS NULL
BEGIN
    UPDATE channels SET waiting = waiting - 1 WHERE name = OLD.channel;
END;
CREATE TRIGGER deliveries_turn AFTER UPDATE OF aside_us ON deliveries
BEGIN
    UPDATE channels SET waiting = waiting + (NEW.aside_us IS NULL) - (OLD.aside_us IS NULL)
        WHERE name = NEW.channel;
END;
