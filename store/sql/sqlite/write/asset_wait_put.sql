-- Changes that wait, as they stand.
INSERT INTO asset_wait (
    dag, asset, first_event, last_event, changes
)
SELECT
    value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4
FROM jsonb_each($1)
WHERE true
ON CONFLICT (dag, asset) DO UPDATE SET
    first_event = excluded.first_event, last_event = excluded.last_event, changes = excluded.changes
