-- One connection, sealed.
SELECT
    name, kind, fields, sealed, edits, touched_by, touched_how, touched_at
FROM connection
WHERE name = $1
