-- Every task instance belongs to a run.
SELECT 'run ' || task.run_id || ', task ' || task.task_no || ', index ' || task.map_index
FROM task
WHERE NOT EXISTS (SELECT 1 FROM run WHERE run.id = task.run_id)
LIMIT 100
