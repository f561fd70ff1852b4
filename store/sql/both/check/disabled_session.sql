-- Nobody who is disabled is signed in.
SELECT 'user ' || u.name || ' since ' || s.created_at
FROM session AS s
JOIN user_account AS u ON u.name = s.user_name
WHERE u.disabled
LIMIT 100
