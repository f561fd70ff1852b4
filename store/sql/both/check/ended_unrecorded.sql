-- Every attempt that a task calls ended is in the history.
SELECT
    'run ' || task.run_id || ', task ' || task.task_no || ', index ' || task.map_index || ': attempt '
    || task.ended_attempt || ' has ended, and is not in the history'
FROM task
WHERE task.ended_attempt > 0 AND NOT EXISTS (SELECT 1 FROM attempt WHERE attempt.id = task.ended_attempt)
LIMIT 100
