-- All dates of backfills that still make runs, or may again.
SELECT
    backfill, nth, interval_start, interval_end, state, run_id, why
FROM backfill_date
WHERE backfill IN (SELECT id FROM backfill WHERE state IN ('active', 'paused'))
ORDER BY backfill, nth
