-- Every cleanup belongs to a task instance.
SELECT
    'run ' || cleanup.run_id || ', task ' || cleanup.task_no || ', index ' || cleanup.map_index
    || ': attempt ' || cleanup.attempt
FROM cleanup
WHERE NOT EXISTS (
    SELECT 1 FROM task
    WHERE task.run_id = cleanup.run_id AND task.task_no = cleanup.task_no AND task.map_index = cleanup.map_index
)
LIMIT 100
