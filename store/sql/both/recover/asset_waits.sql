-- All changes of assets that wait.
SELECT
    dag, asset, first_event, last_event, changes
FROM asset_wait
ORDER BY dag, asset
