-- What only some instances have, as it stands.
INSERT INTO task_detail (
    run_id, task_no, map_index, handle, why, item, said_ways, said_pass, note, touched_by, touched_how,
    touched_at
)
SELECT
    value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7,
    value ->> 8, value ->> 9, value ->> 10, value ->> 11
FROM jsonb_each($1)
WHERE true
ON CONFLICT (run_id, task_no, map_index) DO UPDATE SET
    handle = excluded.handle, why = excluded.why, item = excluded.item, said_ways = excluded.said_ways,
    said_pass = excluded.said_pass, note = excluded.note, touched_by = excluded.touched_by,
    touched_how = excluded.touched_how, touched_at = excluded.touched_at
