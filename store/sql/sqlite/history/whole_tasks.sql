-- The tasks of a run as wholes whose numbers are in the list $2. With why each is as it is, and what its last attempt said.
SELECT
    task.run_id, task.task_no, task.map_index, task.name, task.state, task.attempt, task.hand,
    task.ended_attempt, task.number, task.tries, task.losses, task.requeues, task.epoch, task.edits,
    task.worker, task.since, task.queued_at, task.started_at, task.retry_at, task.deadline, task.instances,
    detail.why, detail.note, attempt.message
FROM task
LEFT JOIN task_detail AS detail
    ON detail.run_id = task.run_id AND detail.task_no = task.task_no AND detail.map_index = task.map_index
LEFT JOIN attempt ON attempt.id = task.ended_attempt
WHERE task.run_id = $1 AND task.map_index = -1 AND task.task_no IN (SELECT value FROM jsonb_each($2))
ORDER BY task.task_no
