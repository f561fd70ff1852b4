-- What was done, in the audit log, under the number and with the hash of the turn that is held.
INSERT INTO audit (id, done_at, actor, action, target, dag, run_id, details, hash)
SELECT
    audit_last, CAST($1 AS timestamptz), CAST($2 AS text), CAST($3 AS text), CAST($4 AS text), NULL, NULL,
    CAST($5 AS text), audit_hash
FROM access_turn
