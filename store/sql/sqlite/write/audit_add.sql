-- What people did.
INSERT INTO audit (
    id, done_at, actor, action, target, dag, run_id, details, hash
)
SELECT
    value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7, value ->> 8
FROM jsonb_each($1)
