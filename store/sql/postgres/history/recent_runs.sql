-- The last $1 runs of every DAG that is there, by DAG, the newest interval first.
SELECT
    run.id, run.dag, run.name, run.kind, run.state, run.interval_start, run.interval_end, run.started_at, run.ended_at
FROM dag
CROSS JOIN LATERAL (
    SELECT * FROM run
    WHERE run.dag = dag.id
    ORDER BY run.interval_start DESC, run.id DESC
    LIMIT $1
) AS run
WHERE dag.version IS NOT NULL
ORDER BY run.dag, run.interval_start DESC, run.id DESC
