-- What was loaded on each day of UTC, by status: how many loads, rows and bytes, and how many microseconds they took. A day is
-- counted from 1970.
SELECT
    CAST(floor(extract(EPOCH FROM ended_at) / 86400) AS bigint) AS day, status, count(*),
    CAST(sum(rows_loaded) AS bigint), CAST(sum(bytes_read) AS bigint),
    CAST(sum(greatest(extract(EPOCH FROM ended_at - started_at) * 1000000, 0)) AS bigint)
FROM load
WHERE
    ended_at >= $1 AND ended_at < $2
    AND (CAST($3 AS text) IS NULL OR dag = $3)
    AND (CAST($4 AS text) IS NULL OR destination = $4)
    AND (CAST($5 AS text) IS NULL OR replace(CAST($5 AS text), '/' || dag || '/', '') <> CAST($5 AS text))
GROUP BY day, status
ORDER BY day, status
