-- The versions of these runs, and of every DAG the one that new runs take; of a DAG that was removed the newest.
SELECT
    dag, version, spec, deployed_at
FROM dag_version
WHERE
    (dag, version) IN (SELECT dag, version FROM run WHERE id = ANY ($1::bigint[]))
    OR version = (
        SELECT coalesce(dag.version, (
            SELECT last.version FROM dag_version AS last
            WHERE last.dag = dag.id
            ORDER BY last.deployed_at DESC, last.version DESC
            LIMIT 1
        ))
        FROM dag
        WHERE dag.id = dag_version.dag
    )
ORDER BY dag, deployed_at, version
