-- What is left of those of these runs that went.
DELETE FROM check_result
WHERE
    run_id IN (SELECT value FROM jsonb_each($1))
    AND run_id NOT IN (SELECT id FROM run WHERE id IN (SELECT value FROM jsonb_each($1)))
