-- What an attempt loaded.
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
WHERE attempt = $1
ORDER BY nth
LIMIT $2
