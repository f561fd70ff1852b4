-- How far some backfills are: their dates, counted by where they stand and by where their runs stand.
SELECT
    backfill_date.backfill, backfill_date.state, run.state, COUNT(*)
FROM backfill_date
LEFT JOIN run ON run.id = backfill_date.run_id AND backfill_date.state = 'made'
WHERE backfill_date.backfill >= $1 AND backfill_date.backfill <= $2
GROUP BY backfill_date.backfill, backfill_date.state, run.state
