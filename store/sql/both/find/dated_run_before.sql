-- The run of the last date before $2 that has one: runs by hand and by assets do not count.
SELECT
    run.id, run.dag, run.name, run.kind, run.state, run.interval_start, run.interval_end, run.started_at, run.ended_at
FROM run
WHERE dag = $1 AND interval_start < $2 AND kind IN ('scheduled', 'backfill')
ORDER BY interval_start DESC
LIMIT 1
