-- How many runs of a DAG cover something that begins on each day of UTC, by state. A day is counted from 1970.
SELECT
    CAST(floor(extract(EPOCH FROM interval_start) / 86400) AS bigint) AS day, state, count(*)
FROM run
WHERE dag = $1 AND interval_start >= $2 AND interval_start < $3
GROUP BY day, state
ORDER BY day, state
