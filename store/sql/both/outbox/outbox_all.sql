-- What was to be told, the last first, from a place on.
SELECT
    id, key, route, severity, run_id, body, decided_at, tries,
    state, next_at, last_error, sent_at
FROM outbox
WHERE id < $1 AND (CAST($2 AS text) IS NULL OR state = $2)
ORDER BY id DESC
LIMIT $3
