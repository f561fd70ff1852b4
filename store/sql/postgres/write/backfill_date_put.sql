-- A date of a backfill as it stands.
INSERT INTO backfill_date
SELECT * FROM unnest($1::backfill_date[])
ON CONFLICT (backfill, interval_start) DO UPDATE SET
    nth = excluded.nth, interval_end = excluded.interval_end, state = excluded.state, run_id = excluded.run_id,
    why = excluded.why
RETURNING 1
