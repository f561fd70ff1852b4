-- Every run has its tasks.
SELECT 'run ' || run.id || ' (' || run.dag || ' / ' || run.name || ')'
FROM run
WHERE NOT EXISTS (SELECT 1 FROM task WHERE task.run_id = run.id)
LIMIT 100
