-- The end of the audit log, the last line first.
SELECT
    id, done_at, actor, action, target, dag, run_id, details
FROM audit
ORDER BY done_at DESC, id DESC
LIMIT $1
