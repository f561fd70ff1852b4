-- The run of a date of a backfill that goes on is there, and of that backfill.
SELECT
    'backfill ' || backfill_date.backfill || ', date ' || backfill_date.nth || ': run '
    || backfill_date.run_id
FROM backfill_date
JOIN backfill ON backfill.id = backfill_date.backfill
WHERE
    backfill.state IN ('active', 'paused') AND backfill_date.state = 'made'
    AND NOT EXISTS (
        SELECT 1 FROM run
        WHERE run.id = backfill_date.run_id AND run.dag = backfill.dag
            AND run.interval_start = backfill_date.interval_start
    )
LIMIT 100
