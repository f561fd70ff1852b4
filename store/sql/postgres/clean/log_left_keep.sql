-- Those of these runs that stayed keep their logs.
DELETE FROM log_left
WHERE (dag, run) IN (SELECT dag, name || '.' || id FROM run WHERE id = ANY ($1::bigint[]))
