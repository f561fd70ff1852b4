-- What somebody may do to some DAGs.
INSERT INTO dag_grant (user_name, pattern, role, given_by, given_at)
SELECT name, CAST($2 AS text), CAST($3 AS text), CAST($4 AS text), CAST($5 AS timestamptz)
FROM user_account
WHERE name = $1
ON CONFLICT (user_name, pattern) DO UPDATE SET
    role = excluded.role, given_by = excluded.given_by, given_at = excluded.given_at
