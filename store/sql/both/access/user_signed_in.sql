-- Somebody signs in who may.
UPDATE user_account SET signed_in_at = $2
WHERE name = $1 AND NOT disabled
