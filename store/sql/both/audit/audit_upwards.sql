-- Lines of the leader in the order of their chain, after line $1.
SELECT
    id, done_at, actor, action, target, dag, run_id, details, hash
FROM audit
WHERE id > $1
ORDER BY id
LIMIT $2
