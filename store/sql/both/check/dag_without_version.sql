-- The version that new runs of a DAG take is there.
SELECT 'dag ' || dag.id || ': version ' || dag.version
FROM dag
WHERE
    dag.version IS NOT NULL
    AND NOT EXISTS (
        SELECT 1 FROM dag_version WHERE dag_version.dag = dag.id AND dag_version.version = dag.version
    )
LIMIT 100
