-- What was loaded on each day of UTC, by status: how many loads, rows and bytes, and how many microseconds they took. A day is
-- counted from 1970.
SELECT
    (ended_at - (ended_at % 86400000000 + 86400000000) % 86400000000) / 86400000000 AS day, status, count(*),
    CAST(sum(rows_loaded) AS integer), CAST(sum(bytes_read) AS integer),
    CAST(sum(max(ended_at - started_at, 0)) AS integer)
FROM load
WHERE
    ended_at >= $1 AND ended_at < $2
    AND (CAST($3 AS text) IS NULL OR dag = $3)
    AND (CAST($4 AS text) IS NULL OR destination = $4)
    AND (CAST($5 AS text) IS NULL OR replace(CAST($5 AS text), '/' || dag || '/', '') <> CAST($5 AS text))
GROUP BY day, status
ORDER BY day, status
