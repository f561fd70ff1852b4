-- The attempts of an instance that are over, the last first.
SELECT
    id, run_id, task_no, map_index, number, epoch, result, worker, queued_at, started_at, ended_at, error_kind,
    message, help, retry_at, deferred_at
FROM attempt
WHERE run_id = $1 AND task_no = $2 AND map_index = $3
ORDER BY id DESC
