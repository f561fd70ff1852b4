-- As run_numbers, of the DAG $5, the newest interval first.
SELECT id
FROM run
WHERE
    dag = $5 AND interval_start >= $1 AND interval_start < $2
    AND (CAST($3 AS text) IS NULL OR $3 LIKE '%,' || state || ',%')
    AND (CAST($4 AS text) IS NULL OR $4 LIKE '%,' || kind || ',%')
ORDER BY interval_start DESC, id DESC
