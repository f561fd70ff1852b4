-- The audit log, the last line first, from a place on.
SELECT
    id, done_at, actor, action, target, dag, run_id, details
FROM audit
WHERE id < $1
ORDER BY id DESC
LIMIT $2
