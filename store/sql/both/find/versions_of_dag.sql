-- All versions of a DAG, newest first.
SELECT
    dag, version, spec, deployed_at
FROM dag_version
WHERE dag = $1
ORDER BY deployed_at DESC, version
