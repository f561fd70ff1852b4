-- Who changed which connection how often; not what is in it.
SELECT
    name, edits, touched_by, touched_how, touched_at
FROM connection
ORDER BY name
