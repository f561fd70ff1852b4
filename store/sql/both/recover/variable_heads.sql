-- Who changed which variable how often; not what is in it.
SELECT
    name, edits, touched_by, touched_how, touched_at
FROM variable
ORDER BY name
