-- Those of these runs that stayed keep their logs.
DELETE FROM log_left
WHERE (dag, run) IN (SELECT dag, name || '.' || id FROM run WHERE id IN (SELECT value FROM jsonb_each($1)))
