-- All sessions of a user end, but this one.
DELETE FROM session
WHERE user_name = $1 AND (CAST($2 AS text) IS NULL OR hash <> $2)
