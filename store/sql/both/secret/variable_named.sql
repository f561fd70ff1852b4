-- One variable, sealed.
SELECT
    name, sealed, note, edits, touched_by, touched_how, touched_at
FROM variable
WHERE name = $1
