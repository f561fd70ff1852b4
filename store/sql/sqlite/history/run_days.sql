-- How many runs of a DAG cover something that begins on each day of UTC, by state. A day is counted from 1970.
SELECT
    (interval_start - (interval_start % 86400000000 + 86400000000) % 86400000000) / 86400000000 AS day, state, count(*)
FROM run
WHERE dag = $1 AND interval_start >= $2 AND interval_start < $3
GROUP BY day, state
ORDER BY day, state
