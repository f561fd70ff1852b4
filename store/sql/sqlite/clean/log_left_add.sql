-- The logs of these runs are to go: they lie under name and number. Those of runs that stay are taken out again in the same transaction.
INSERT INTO log_left (dag, run)
SELECT dag, name || '.' || id FROM run WHERE id IN (SELECT value FROM jsonb_each($1))
ON CONFLICT DO NOTHING
