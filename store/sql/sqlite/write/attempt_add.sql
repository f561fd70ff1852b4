-- Attempts that are over.
INSERT INTO attempt (
    id, run_id, task_no, map_index, number, epoch, result, worker, queued_at, started_at, ended_at, error_kind,
    message, help, retry_at, deferred_at
)
SELECT
    value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7,
    value ->> 8, value ->> 9, value ->> 10, value ->> 11, value ->> 12, value ->> 13, value ->> 14,
    value ->> 15
FROM jsonb_each($1)
