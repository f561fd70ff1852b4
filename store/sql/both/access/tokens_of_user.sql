-- The tokens of a user, the newest first.
SELECT id, hash, name, user_name, role, dags, created_at, ends_at, used_at, revoked_at, revoked_by
FROM api_token
WHERE user_name = $1
ORDER BY created_at DESC, id
