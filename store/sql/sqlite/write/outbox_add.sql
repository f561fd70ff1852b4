-- What is to be told. The same is not told twice: a key that is there stays. It is due at once.
INSERT INTO outbox (
    id, key, route, severity, run_id, body, decided_at, state, tries, next_at, last_error, sent_at, dag
)
SELECT
    value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7,
    value ->> 8, value ->> 9, value ->> 10, value ->> 11, value ->> 12
FROM jsonb_each($1)
WHERE true
ON CONFLICT (key) DO NOTHING
