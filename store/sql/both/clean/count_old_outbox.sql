-- What was told, or given up, before $1. It belongs to no DAG.
SELECT count(*) FROM outbox
WHERE state IN ('sent', 'dead') AND decided_at < $1 AND CAST($2 AS text) IS NULL
