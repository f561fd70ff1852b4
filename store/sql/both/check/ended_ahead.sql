-- The last attempt whose end is on record is not newer than the current one.
SELECT
    'run ' || task.run_id || ', task ' || task.task_no || ', index ' || task.map_index || ': attempt '
    || task.ended_attempt || ' has ended, the task is at ' || task.attempt
FROM task
WHERE task.ended_attempt > task.attempt
LIMIT 100
