-- What people noted on tasks of these runs: the beginning of one note a task.
SELECT run_id, task_no, min(substr(note, 1, 200))
FROM task_detail
WHERE run_id = ANY ($1::bigint[]) AND note IS NOT NULL
GROUP BY run_id, task_no
