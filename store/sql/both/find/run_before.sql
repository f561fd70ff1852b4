-- The last run of a DAG whose interval starts before $2.
SELECT
    run.id, run.dag, run.name, run.kind, run.state, run.interval_start, run.interval_end, run.started_at, run.ended_at
FROM run
WHERE dag = $1 AND interval_start < $2
ORDER BY interval_start DESC, id DESC
LIMIT 1
