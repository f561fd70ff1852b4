-- The audit log, the last line first, from a place on: what somebody did, actions that begin like this, of a DAG, within a time.
SELECT
    id, done_at, actor, action, target, dag, run_id, details
FROM audit
WHERE (done_at, id) < ($1, $2) AND done_at >= $3 AND done_at < $4
    AND (CAST($5 AS text) IS NULL OR actor = $5)
    AND (CAST($6 AS text) IS NULL OR substr(action, 1, length($6)) = $6)
    AND (CAST($7 AS text) IS NULL OR dag = $7)
ORDER BY done_at DESC, id DESC
LIMIT $8
