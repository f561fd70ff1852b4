-- The task instances of these runs.
SELECT
    run_id, task_no, map_index, name, state, attempt, hand, ended_attempt, number, tries, losses, requeues,
    epoch, edits, worker, since, queued_at, started_at, retry_at, deadline, instances
FROM task
WHERE run_id IN (SELECT value FROM jsonb_each($1))
ORDER BY run_id, task_no, map_index
