-- What people did before $1.
SELECT count(*) FROM audit
WHERE done_at < $1 AND (CAST($2 AS text) IS NULL OR dag = $2)
