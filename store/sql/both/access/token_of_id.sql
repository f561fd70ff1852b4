-- One token, whatever became of it.
SELECT id, hash, name, user_name, role, dags, created_at, ends_at, used_at, revoked_at, revoked_by
FROM api_token
WHERE id = $1
