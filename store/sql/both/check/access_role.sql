-- Every role is one that there is.
SELECT 'user ' || name || ': ' || role FROM user_account WHERE role NOT IN ('viewer', 'operator', 'admin')
UNION ALL
SELECT 'grant ' || user_name || ' ' || pattern || ': ' || role FROM dag_grant WHERE role NOT IN ('viewer', 'operator', 'admin')
UNION ALL
SELECT 'token ' || id || ': ' || role FROM api_token WHERE role NOT IN ('viewer', 'operator', 'admin')
LIMIT 100
