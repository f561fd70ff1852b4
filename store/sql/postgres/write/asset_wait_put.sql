-- Changes that wait, as they stand.
INSERT INTO asset_wait
SELECT * FROM unnest($1::asset_wait[])
ON CONFLICT (dag, asset) DO UPDATE SET
    first_event = excluded.first_event, last_event = excluded.last_event, changes = excluded.changes
RETURNING 1
