-- What a run loaded, from a place in the list on.
SELECT
    attempt, nth, run_id, task_no, map_index, dag, started_at, ended_at, sources, files, bytes_read, rows_read,
    destination, "partition", mode, rows_before, rows_loaded, rows_after, rows_rejected, job_id, job_url,
    slot_ms, bytes_billed, status, error,
    (SELECT run.name FROM run WHERE run.id = load.run_id) AS run_name,
    (
        SELECT task.name FROM task
        WHERE task.run_id = load.run_id AND task.task_no = load.task_no AND task.map_index = load.map_index
    ) AS task_name
FROM load
WHERE run_id = $1 AND (attempt, nth) > ($2, $3)
ORDER BY attempt, nth
LIMIT $4
