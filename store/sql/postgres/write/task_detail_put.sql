-- What only some instances have, as it stands.
INSERT INTO task_detail
SELECT * FROM unnest($1::task_detail[])
ON CONFLICT (run_id, task_no, map_index) DO UPDATE SET
    handle = excluded.handle, why = excluded.why, item = excluded.item, said_ways = excluded.said_ways,
    said_pass = excluded.said_pass, note = excluded.note, touched_by = excluded.touched_by,
    touched_how = excluded.touched_how, touched_at = excluded.touched_at
RETURNING 1
