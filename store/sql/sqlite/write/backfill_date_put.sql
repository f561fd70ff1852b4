-- A date of a backfill as it stands.
INSERT INTO backfill_date (
    backfill, nth, interval_start, interval_end, state, run_id, why
)
SELECT
    value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6
FROM jsonb_each($1)
WHERE true
ON CONFLICT (backfill, interval_start) DO UPDATE SET
    nth = excluded.nth, interval_end = excluded.interval_end, state = excluded.state, run_id = excluded.run_id,
    why = excluded.why
