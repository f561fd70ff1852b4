-- Attempts that may still hold something.
INSERT INTO cleanup
SELECT * FROM unnest($1::cleanup[])
ON CONFLICT (attempt) DO UPDATE SET
    run_id = excluded.run_id, task_no = excluded.task_no, map_index = excluded.map_index, hand = excluded.hand,
    number = excluded.number, epoch = excluded.epoch, handle = excluded.handle, worker = excluded.worker,
    since = excluded.since
RETURNING 1
