-- A program may come in, in the name of somebody who may.
INSERT INTO api_token (id, hash, name, user_name, role, dags, created_at, ends_at)
SELECT
    CAST($1 AS text), CAST($2 AS text), CAST($3 AS text), name, CAST($5 AS text), CAST($6 AS text),
    CAST($7 AS timestamptz), CAST($8 AS timestamptz)
FROM user_account
WHERE name = $4 AND NOT disabled
