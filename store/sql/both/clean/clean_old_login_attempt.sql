-- Tries to sign in that were counted from before $1 on. They belong to no DAG.
DELETE FROM login_attempt
WHERE subject IN (
    SELECT subject FROM login_attempt
    WHERE since < $1 AND CAST($2 AS text) IS NULL
    ORDER BY since, subject
    LIMIT $3
)
