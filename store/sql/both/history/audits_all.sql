-- The audit log, the last line first, from before line $1 on. By time: lines about access have numbers below 0.
SELECT
    id, done_at, actor, action, target, dag, run_id, details
FROM audit
WHERE (done_at, id) < ((SELECT done_at FROM audit WHERE id = $1), $1)
ORDER BY done_at DESC, id DESC
LIMIT $2
