-- The runs whose interval starts from $1 on and before $2, in one of the states $3 and of one of the kinds $4 (each a list
-- like ',failed,success,', or none for any), newest first.
SELECT id
FROM run
WHERE
    interval_start >= $1 AND interval_start < $2
    AND (CAST($3 AS text) IS NULL OR $3 LIKE '%,' || state || ',%')
    AND (CAST($4 AS text) IS NULL OR $4 LIKE '%,' || kind || ',%')
ORDER BY id DESC
