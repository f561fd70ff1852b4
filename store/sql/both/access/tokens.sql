-- All tokens, user by user, the newest first.
SELECT id, hash, name, user_name, role, dags, created_at, ends_at, used_at, revoked_at, revoked_by
FROM api_token
ORDER BY user_name, created_at DESC, id
