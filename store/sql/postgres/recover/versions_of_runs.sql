-- The versions of these runs.
SELECT
    dag, version, spec, deployed_at
FROM dag_version
WHERE (dag, version) IN (SELECT dag, version FROM run WHERE id = ANY ($1::bigint[]))
ORDER BY dag, deployed_at, version
