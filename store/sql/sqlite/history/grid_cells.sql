-- The squares of the grid, in any order: a task of a run. Of a mapped task a line for itself, and one for each state of its
-- instances. Only instances are counted: sorting all tasks to count each by itself took longer than reading them.
SELECT run_id, task_no, name, 0 AS mapped, state, 1, number, queued_at, started_at, since
FROM task
WHERE run_id IN (SELECT value FROM jsonb_each($1)) AND map_index < 0
UNION ALL
SELECT
    run_id, task_no, name, 1, state,
    count(*), max(number), min(queued_at), min(started_at), max(since)
FROM task
WHERE run_id IN (SELECT value FROM jsonb_each($1)) AND map_index >= 0
GROUP BY run_id, task_no, name, state
