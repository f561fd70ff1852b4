-- The logs of these runs are to go: they lie under name and number. Those of runs that stay are taken out again in the same transaction.
INSERT INTO log_left (dag, run)
SELECT dag, name || '.' || id FROM run WHERE id = ANY ($1::bigint[])
ON CONFLICT DO NOTHING
