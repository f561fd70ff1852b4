-- Tries to sign in that were counted from before $1 on. They belong to no DAG.
SELECT count(*) FROM login_attempt
WHERE since < $1 AND CAST($2 AS text) IS NULL
