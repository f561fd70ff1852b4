-- The sessions of a user that go on, the newest first.
SELECT hash, user_name, created_at, seen_at, ends_at, address, user_agent
FROM session
WHERE user_name = $1 AND ends_at > $2
ORDER BY created_at DESC, hash
