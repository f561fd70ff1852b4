-- The version that a run runs is there.
SELECT 'run ' || run.id || ' (' || run.dag || ' / ' || run.name || '): version ' || run.version
FROM run
WHERE NOT EXISTS (
    SELECT 1 FROM dag_version WHERE dag_version.dag = run.dag AND dag_version.version = run.version
)
LIMIT 100
