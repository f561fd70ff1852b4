-- The failed tasks of the last $2 runs that failed since $1, the newest run first: what on-call looks at.
SELECT
    failed.id, failed.dag, failed.name, failed.kind, failed.state, failed.interval_start, failed.interval_end, failed.started_at, failed.ended_at,
    task.run_id, task.task_no, task.map_index, task.name, task.since, attempt.number, attempt.error_kind, attempt.message
FROM (
    SELECT
        id, dag, name, kind, state, interval_start, interval_end, started_at, ended_at
    FROM run
    WHERE state IN ('failed', 'cancelled') AND state = 'failed' AND ended_at >= $1
        AND (CAST($3 AS text) IS NULL OR replace(CAST($3 AS text), '/' || dag || '/', '') <> CAST($3 AS text))
    ORDER BY id DESC
    LIMIT $2
) AS failed
INNER JOIN task ON task.run_id = failed.id AND task.state = 'failed'
LEFT JOIN attempt ON attempt.id = task.ended_attempt
ORDER BY failed.id DESC, task.task_no, task.map_index
LIMIT $4
