-- A token is good for nothing any more.
UPDATE api_token SET revoked_at = $2, revoked_by = $3
WHERE id = $1 AND revoked_at IS NULL
