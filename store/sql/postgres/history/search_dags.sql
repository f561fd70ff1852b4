-- DAGs with this in their name, in small letters.
SELECT id
FROM dag
WHERE
    strpos(lower(id), $1) > 0
    AND (CAST($2 AS text) IS NULL OR replace(CAST($2 AS text), '/' || id || '/', '') <> CAST($2 AS text))
ORDER BY id
LIMIT $3
