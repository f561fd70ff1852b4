-- Changes of assets.
INSERT INTO asset_event
SELECT * FROM unnest($1::asset_event[])
RETURNING 1
