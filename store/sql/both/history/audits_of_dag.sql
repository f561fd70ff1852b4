-- The audit log of a DAG, as audits_all.
SELECT
    id, done_at, actor, action, target, dag, run_id, details
FROM audit
WHERE dag = $3 AND id < $1
ORDER BY id DESC
LIMIT $2
