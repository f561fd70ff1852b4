-- The ticks of a DAG that made no run, from $2 on and before $3.
SELECT
    dag, interval_start, skipped_at, why
FROM skipped_tick
WHERE dag = $1 AND interval_start >= $2 AND interval_start < $3
ORDER BY interval_start DESC
LIMIT $4
