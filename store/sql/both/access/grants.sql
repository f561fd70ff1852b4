-- What anybody may do beyond their role.
SELECT user_name, pattern, role, given_by, given_at
FROM dag_grant
ORDER BY user_name, pattern
