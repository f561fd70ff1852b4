-- What somebody may do beyond their role.
SELECT user_name, pattern, role, given_by, given_at
FROM dag_grant
WHERE user_name = $1
ORDER BY pattern
