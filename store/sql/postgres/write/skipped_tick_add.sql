-- Ticks that made no run: one that is there stays.
INSERT INTO skipped_tick
SELECT * FROM unnest($1::skipped_tick[])
ON CONFLICT (dag, interval_start) DO NOTHING
RETURNING 1
