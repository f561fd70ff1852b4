-- What people did before $1.
DELETE FROM audit
WHERE id IN (
    SELECT id FROM audit
    WHERE done_at < $1 AND (CAST($2 AS text) IS NULL OR dag = $2)
    ORDER BY id
    LIMIT $3
)
