-- What only some instances of these runs have.
SELECT
    run_id, task_no, map_index, handle, why, item, said_ways, said_pass, note, touched_by, touched_how,
    touched_at
FROM task_detail
WHERE run_id IN (SELECT value FROM jsonb_each($1))
ORDER BY run_id, task_no, map_index
