-- What was to be told, the last first, from a place on: in a state, about these DAGs.
SELECT
    id, key, route, severity, run_id, body, decided_at, dag, tries,
    state, next_at, last_error, sent_at
FROM outbox
WHERE id < $1 AND (CAST($2 AS text) IS NULL OR state = $2)
    AND (CAST($3 AS text) IS NULL OR replace(CAST($3 AS text), '/' || dag || '/', '') <> CAST($3 AS text))
ORDER BY id DESC
LIMIT $4
