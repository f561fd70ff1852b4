-- Runs by their numbers, for people: those that the dates of a backfill name.
SELECT
    backfill_date.nth, run.name, run.state
FROM backfill_date
JOIN run ON run.id = backfill_date.run_id
WHERE backfill_date.backfill = $1 AND backfill_date.nth > $2
ORDER BY backfill_date.nth
LIMIT $3
