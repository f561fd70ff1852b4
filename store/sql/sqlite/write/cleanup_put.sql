-- Attempts that may still hold something.
INSERT INTO cleanup (
    attempt, run_id, task_no, map_index, hand, number, epoch, handle, worker, since
)
SELECT
    value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7,
    value ->> 8, value ->> 9
FROM jsonb_each($1)
WHERE true
ON CONFLICT (attempt) DO UPDATE SET
    run_id = excluded.run_id, task_no = excluded.task_no, map_index = excluded.map_index, hand = excluded.hand,
    number = excluded.number, epoch = excluded.epoch, handle = excluded.handle, worker = excluded.worker,
    since = excluded.since
