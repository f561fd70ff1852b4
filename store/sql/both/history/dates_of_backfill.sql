-- A page of the dates of a backfill, in the order in which its runs are made.
SELECT
    backfill, nth, interval_start, interval_end, state, run_id, why
FROM backfill_date
WHERE backfill = $1 AND nth > $2
ORDER BY nth
LIMIT $3
