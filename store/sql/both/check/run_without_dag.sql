-- The DAG of a run is there, removed or not.
SELECT 'run ' || run.id || ' (' || run.dag || ' / ' || run.name || ')'
FROM run
WHERE NOT EXISTS (SELECT 1 FROM dag WHERE dag.id = run.dag)
LIMIT 100
