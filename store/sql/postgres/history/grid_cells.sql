-- The squares of the grid, in any order: a task of a run. Of a mapped task a line for itself, and one for each state of its
-- instances.
SELECT
    run_id, task_no, name, CASE WHEN map_index < 0 THEN 0 ELSE 1 END AS mapped, state,
    count(*), max(number), min(queued_at), min(started_at), max(since)
FROM task
WHERE run_id = ANY ($1::bigint[])
GROUP BY run_id, task_no, name, mapped, state
