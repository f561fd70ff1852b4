-- Every detail belongs to a task instance.
SELECT 'run ' || task_detail.run_id || ', task ' || task_detail.task_no || ', index ' || task_detail.map_index
FROM task_detail
WHERE NOT EXISTS (
    SELECT 1 FROM task
    WHERE
        task.run_id = task_detail.run_id AND task.task_no = task_detail.task_no
        AND task.map_index = task_detail.map_index
)
LIMIT 100
