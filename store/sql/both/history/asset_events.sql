-- The changes of an asset, the last first, from a place on.
SELECT
    id, asset, by_run, by_task_no, by_map_index, changed_at
FROM asset_event
WHERE asset = $1 AND id < $2
ORDER BY id DESC
LIMIT $3
