-- A page of the instances of a mapped task in a run, by their place in its list.
SELECT
    run_id, task_no, map_index, name, state, attempt, hand, ended_attempt, number, tries, losses, requeues, epoch, edits,
    worker, since, queued_at, started_at, retry_at, deadline, instances
FROM task
WHERE run_id = $1 AND task_no = $2 AND map_index > $3
ORDER BY map_index
LIMIT $4
