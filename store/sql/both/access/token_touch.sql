-- A token was used.
UPDATE api_token SET used_at = $2
WHERE id = $1 AND (used_at IS NULL OR used_at < $2)
