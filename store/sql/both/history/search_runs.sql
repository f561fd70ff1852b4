-- Runs whose name begins like this: from $1 on and before $2. One look into the index for each DAG, in this order:
-- SQLite takes a CROSS JOIN at its word.
SELECT
    run.id, run.dag, run.name, run.kind, run.state, run.interval_start, run.interval_end, run.started_at,
    run.ended_at
FROM dag
CROSS JOIN run
WHERE run.dag = dag.id AND run.name >= $1 AND run.name < $2
    AND (CAST($3 AS text) IS NULL OR replace(CAST($3 AS text), '/' || dag.id || '/', '') <> CAST($3 AS text))
ORDER BY run.id DESC
LIMIT $4
