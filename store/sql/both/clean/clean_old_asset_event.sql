-- Changes of assets before $1 that nobody waits to use. They belong to no DAG.
DELETE FROM asset_event
WHERE id IN (
    SELECT id FROM asset_event
    WHERE changed_at < $1 AND CAST($2 AS text) IS NULL
        AND NOT EXISTS (
            SELECT 1 FROM asset_wait
            WHERE asset_wait.asset = asset_event.asset AND asset_wait.first_event <= asset_event.id
        )
    ORDER BY id
    LIMIT $3
)
