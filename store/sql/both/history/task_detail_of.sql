-- What only some instances have, of one.
SELECT
    run_id, task_no, map_index, handle, why, item, said_ways, said_pass, note, touched_by, touched_how,
    touched_at
FROM task_detail
WHERE run_id = $1 AND task_no = $2 AND map_index = $3
