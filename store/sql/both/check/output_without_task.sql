-- Every output belongs to a task instance.
SELECT
    'run ' || output.run_id || ', task ' || output.task_no || ', index ' || output.map_index || ': attempt '
    || output.attempt
FROM output
WHERE NOT EXISTS (
    SELECT 1 FROM task
    WHERE task.run_id = output.run_id AND task.task_no = output.task_no AND task.map_index = output.map_index
)
LIMIT 100
