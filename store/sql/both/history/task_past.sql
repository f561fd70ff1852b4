-- A task over the last runs of its DAG: each run, and the task as it stands there.
SELECT
    head.id, head.dag, head.name, head.kind, head.state, head.interval_start, head.interval_end, head.started_at,
    head.ended_at,
    task.run_id, task.task_no, task.map_index, task.name, task.state, task.attempt, task.hand,
    task.ended_attempt, task.number, task.tries, task.losses, task.requeues, task.epoch, task.edits,
    task.worker, task.since, task.queued_at, task.started_at, task.retry_at, task.deadline, task.instances
FROM (
    SELECT id, dag, name, kind, state, interval_start, interval_end, started_at, ended_at
    FROM run
    WHERE dag = $1 AND (interval_start, id) < ($2, $3)
    ORDER BY interval_start DESC, id DESC
    LIMIT $4
) AS head
JOIN task ON task.run_id = head.id AND task.task_no = $5 AND task.map_index = $6
ORDER BY head.interval_start DESC, head.id DESC
