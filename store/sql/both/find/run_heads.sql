-- The runs of a DAG whose interval starts from $2 on and before $3.
SELECT
    run.id, run.dag, run.name, run.kind, run.state, run.interval_start, run.interval_end, run.started_at, run.ended_at
FROM run
WHERE dag = $1 AND interval_start >= $2 AND interval_start < $3
ORDER BY interval_start, id
