-- A run of a backfill has a date there.
SELECT 'run ' || run.id || ' (' || run.dag || ' / ' || run.name || '): backfill ' || run.backfill
FROM run
WHERE
    run.backfill IS NOT NULL
    AND NOT EXISTS (
        SELECT 1 FROM backfill_date
        WHERE backfill_date.backfill = run.backfill AND backfill_date.interval_start = run.interval_start
    )
LIMIT 100
