-- These runs, if they can still go: somebody may have run one again meanwhile.
DELETE FROM run
WHERE
    id = ANY ($1::bigint[])
    AND state IN ('success', 'failed', 'cancelled') AND coalesce(ended_at, created_at) < $2
    AND NOT EXISTS (SELECT 1 FROM cleanup WHERE cleanup.run_id = run.id)
    AND NOT EXISTS (
        SELECT 1 FROM backfill WHERE backfill.id = run.backfill AND backfill.state IN ('active', 'paused')
    )
    AND NOT EXISTS (
        SELECT 1 FROM backfill_date JOIN backfill ON backfill.id = backfill_date.backfill
        WHERE backfill_date.run_id = run.id AND backfill.state IN ('active', 'paused')
    )
