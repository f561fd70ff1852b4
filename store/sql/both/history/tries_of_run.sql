-- When the attempts of a run that are over began and ended, in the order of its tasks, from a place in the list on. What they
-- said is not read.
SELECT id, run_id, task_no, map_index, number, result, queued_at, started_at, ended_at, retry_at, deferred_at
FROM attempt
WHERE run_id = $1 AND (task_no, map_index, id) > ($2, $3, $4)
ORDER BY task_no, map_index, id
LIMIT $5
