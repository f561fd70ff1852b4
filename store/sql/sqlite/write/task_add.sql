-- Task instances of new runs, and new instances of mapped tasks.
INSERT INTO task (
    run_id, task_no, map_index, name, state, attempt, hand, ended_attempt, number, tries, losses, requeues,
    epoch, edits, worker, since, queued_at, started_at, retry_at, deadline, instances
)
SELECT
    value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7,
    value ->> 8, value ->> 9, value ->> 10, value ->> 11, value ->> 12, value ->> 13, value ->> 14,
    value ->> 15, value ->> 16, value ->> 17, value ->> 18, value ->> 19, value ->> 20
FROM jsonb_each($1)
