-- All variables, sealed.
SELECT
    name, sealed, note, edits, touched_by, touched_how, touched_at
FROM variable
ORDER BY name
