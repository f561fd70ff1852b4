-- Takes what is due, and moves it on to the end of the relay's lease: nobody else takes it before. The inner query
-- comes first and once, or more rows than asked for could be locked.
WITH due AS MATERIALIZED (
    SELECT id FROM outbox
    WHERE state = 'pending' AND next_at <= $1
    ORDER BY next_at, id
    LIMIT $3
    FOR UPDATE SKIP LOCKED
)
UPDATE outbox SET tries = tries + 1, next_at = $2
WHERE id IN (SELECT id FROM due)
RETURNING id, key, route, severity, run_id, body, decided_at, dag, tries
