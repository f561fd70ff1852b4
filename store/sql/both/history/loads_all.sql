-- Loads, the last first, from a place in the list on.
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
WHERE
    (ended_at, attempt, nth) < ($1, $2, $3) AND ended_at >= $4 AND ended_at < $5
    AND (CAST($6 AS text) IS NULL OR dag = $6)
    AND (CAST($7 AS text) IS NULL OR destination = $7)
    AND (CAST($8 AS text) IS NULL OR status = $8)
    AND (CAST($9 AS text) IS NULL OR replace(CAST($9 AS text), '/' || dag || '/', '') <> CAST($9 AS text))
ORDER BY ended_at DESC, attempt DESC, nth DESC
LIMIT $10
