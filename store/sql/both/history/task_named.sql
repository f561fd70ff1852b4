-- An instance of a task in a run, by the task's name.
SELECT
    run_id, task_no, map_index, name, state, attempt, hand, ended_attempt, number, tries, losses, requeues, epoch, edits,
    worker, since, queued_at, started_at, retry_at, deadline, instances
FROM task
WHERE run_id = $1 AND task_no = (SELECT task_no FROM dag_task WHERE dag = $2 AND name = $3) AND map_index = $4
