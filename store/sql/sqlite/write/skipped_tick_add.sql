-- Ticks that made no run: one that is there stays.
INSERT INTO skipped_tick (
    dag, interval_start, skipped_at, why
)
SELECT
    value ->> 0, value ->> 1, value ->> 2, value ->> 3
FROM jsonb_each($1)
WHERE true
ON CONFLICT (dag, interval_start) DO NOTHING
