-- The next runs that can go: ended before $2, with nothing left to clean up outside, and of no backfill that goes on.
SELECT id FROM run
WHERE
    id > $1 AND state IN ('success', 'failed', 'cancelled') AND coalesce(ended_at, created_at) < $2
    AND NOT EXISTS (SELECT 1 FROM cleanup WHERE cleanup.run_id = run.id)
    AND NOT EXISTS (
        SELECT 1 FROM backfill WHERE backfill.id = run.backfill AND backfill.state IN ('active', 'paused')
    )
    AND NOT EXISTS (
        SELECT 1 FROM backfill_date JOIN backfill ON backfill.id = backfill_date.backfill
        WHERE backfill_date.run_id = run.id AND backfill.state IN ('active', 'paused')
    )
    AND (CAST($3 AS text) IS NULL OR dag = $3)
ORDER BY id
LIMIT $4
