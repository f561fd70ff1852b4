-- What was told, or given up, before $1. It belongs to no DAG.
DELETE FROM outbox
WHERE id IN (
    SELECT id FROM outbox
    WHERE state IN ('sent', 'dead') AND decided_at < $1 AND CAST($2 AS text) IS NULL
    ORDER BY id
    LIMIT $3
)
