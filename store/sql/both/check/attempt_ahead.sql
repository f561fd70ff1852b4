-- No attempt that is over is newer than the current attempt of its task.
SELECT
    'run ' || attempt.run_id || ', task ' || attempt.task_no || ', index ' || attempt.map_index
    || ': attempt ' || attempt.id || ' is over, the task is at ' || task.attempt
FROM attempt
JOIN task
    ON task.run_id = attempt.run_id AND task.task_no = attempt.task_no AND task.map_index = attempt.map_index
WHERE attempt.id > task.attempt
LIMIT 100
