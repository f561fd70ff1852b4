-- Passwords lie here as hashes of Argon2id, secrets of sessions and tokens as SHA-256.
SELECT 'password of ' || name FROM user_account WHERE password NOT LIKE '$argon2id$%'
UNION ALL
SELECT 'session of ' || user_name FROM session WHERE length(hash) <> 64
UNION ALL
SELECT 'token ' || id FROM api_token WHERE length(hash) <> 64
LIMIT 100
