-- What a run loaded, from a place in the list on.
SELECT
    attempt, nth, run_id, task_no, map_index, dag, started_at, ended_at, sources, files, bytes_read, rows_read,
    destination, "partition", mode, rows_before, rows_loaded, rows_after, rows_rejected, job_id, job_url,
    slot_ms, bytes_billed, status, error
FROM load
WHERE run_id = $1 AND (attempt, nth) > ($2, $3)
ORDER BY attempt, nth
LIMIT $4
