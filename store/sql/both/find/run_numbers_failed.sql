-- As run_numbers, of runs that did not end well: there is an index of only these.
SELECT id
FROM run
WHERE
    state IN ('failed', 'cancelled') AND interval_start >= $1 AND interval_start < $2
    AND (CAST($3 AS text) IS NULL OR $3 LIKE '%,' || state || ',%')
    AND (CAST($4 AS text) IS NULL OR $4 LIKE '%,' || kind || ',%')
ORDER BY id DESC
