-- What is left of those of these runs that went.
DELETE FROM check_result
WHERE
    run_id = ANY ($1::bigint[])
    AND run_id NOT IN (SELECT id FROM run WHERE id = ANY ($1::bigint[]))
