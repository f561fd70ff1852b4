-- The versions of these runs.
SELECT
    dag, version, spec, deployed_at
FROM dag_version
WHERE (dag, version) IN (SELECT dag, version FROM run WHERE id IN (SELECT value FROM jsonb_each($1)))
ORDER BY dag, deployed_at, version
