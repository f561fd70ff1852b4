-- All connections, sealed.
SELECT
    name, kind, fields, sealed, edits, touched_by, touched_how, touched_at
FROM connection
ORDER BY name
