-- Sessions that ended before $1. They belong to no DAG.
DELETE FROM session
WHERE hash IN (
    SELECT hash FROM session
    WHERE ends_at < $1 AND CAST($2 AS text) IS NULL
    ORDER BY ends_at, hash
    LIMIT $3
)
