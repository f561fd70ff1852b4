-- A version of a DAG.
SELECT
    dag, version, spec, deployed_at
FROM dag_version
WHERE dag = $1 AND version = $2
