-- What attempts loaded.
INSERT INTO load (
    attempt, nth, run_id, task_no, map_index, dag, started_at, ended_at, sources, files, bytes_read, rows_read,
    destination, "partition", mode, rows_before, rows_loaded, rows_after, rows_rejected, job_id, job_url,
    slot_ms, bytes_billed, status, error
)
SELECT
    value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7,
    value ->> 8, value ->> 9, value ->> 10, value ->> 11, value ->> 12, value ->> 13, value ->> 14,
    value ->> 15, value ->> 16, value ->> 17, value ->> 18, value ->> 19, value ->> 20, value ->> 21,
    value ->> 22, value ->> 23, value ->> 24
FROM jsonb_each($1)
