-- Every attempt belongs to a task instance.
SELECT
    'run ' || attempt.run_id || ', task ' || attempt.task_no || ', index ' || attempt.map_index
    || ': attempt ' || attempt.id
FROM attempt
WHERE NOT EXISTS (
    SELECT 1 FROM task
    WHERE task.run_id = attempt.run_id AND task.task_no = attempt.task_no AND task.map_index = attempt.map_index
)
LIMIT 100
