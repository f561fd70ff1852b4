-- The dates of a DAG from $2 on and before $3 that have a run.
SELECT interval_start
FROM run
WHERE dag = $1 AND interval_start >= $2 AND interval_start < $3 AND kind IN ('scheduled', 'backfill')
ORDER BY interval_start
