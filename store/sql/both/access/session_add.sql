-- A browser is signed in.
INSERT INTO session (hash, user_name, created_at, seen_at, ends_at, address, user_agent)
VALUES ($1, $2, $3, $4, $5, $6, $7)
