-- What was to be told about a run.
SELECT
    id, key, route, severity, run_id, body, decided_at, dag, tries,
    state, next_at, last_error, sent_at
FROM outbox
WHERE run_id = $1
ORDER BY id
