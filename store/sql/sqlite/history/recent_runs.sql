-- The last $1 runs of every DAG that is there, by DAG, the newest interval first.
SELECT
    run.id, run.dag, run.name, run.kind, run.state, run.interval_start, run.interval_end, run.started_at, run.ended_at
FROM dag
CROSS JOIN run ON run.id IN (
    SELECT last.id FROM run AS last
    WHERE last.dag = dag.id
    ORDER BY last.interval_start DESC, last.id DESC
    LIMIT $1
)
WHERE dag.version IS NOT NULL
ORDER BY run.dag, run.interval_start DESC, run.id DESC
