-- Changes of assets.
INSERT INTO asset_event (
    id, asset, by_run, by_task_no, by_map_index, changed_at
)
SELECT
    value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5
FROM jsonb_each($1)
