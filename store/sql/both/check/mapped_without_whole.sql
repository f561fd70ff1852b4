-- Where there is an instance of a mapped task, there is the task as a whole.
SELECT 'run ' || task.run_id || ', task ' || task.task_no || ', index ' || task.map_index
FROM task
WHERE
    task.map_index >= 0
    AND NOT EXISTS (
        SELECT 1 FROM task AS whole
        WHERE whole.run_id = task.run_id AND whole.task_no = task.task_no AND whole.map_index = -1
    )
LIMIT 100
