-- What was done, in the audit log, under the number of the turn that is held.
INSERT INTO audit (id, done_at, actor, action, target, dag, run_id, details)
SELECT audit_last, CAST($1 AS timestamptz), CAST($2 AS text), CAST($3 AS text), CAST($4 AS text), NULL, NULL, CAST($5 AS text)
FROM access_turn
