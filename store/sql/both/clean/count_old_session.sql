-- Sessions that ended before $1. They belong to no DAG.
SELECT count(*) FROM session
WHERE ends_at < $1 AND CAST($2 AS text) IS NULL
