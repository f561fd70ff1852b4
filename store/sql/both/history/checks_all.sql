-- What came of checks, the last first, from a place in the list on.
SELECT
    attempt, nth, run_id, task_no, map_index, dag, of_table, name, checked_at, kind, columns, severity, blocking,
    status, expected, observed, cause, rows_there, rows_checked, rows_failed, sample, numbers_sql, rows_sql,
    (SELECT run.name FROM run WHERE run.id = check_result.run_id) AS run_name,
    (
        SELECT task.name FROM task
        WHERE task.run_id = check_result.run_id AND task.task_no = check_result.task_no AND task.map_index = check_result.map_index
    ) AS task_name
FROM check_result
WHERE
    (checked_at, attempt, nth) < ($1, $2, $3) AND checked_at >= $4 AND checked_at < $5
    AND (CAST($6 AS text) IS NULL OR dag = $6)
    AND (CAST($7 AS text) IS NULL OR of_table = $7)
    AND (CAST($8 AS text) IS NULL OR name = $8)
    AND (CAST($9 AS text) IS NULL OR status = $9)
    AND (CAST($10 AS text) IS NULL OR replace(CAST($10 AS text), '/' || dag || '/', '') <> CAST($10 AS text))
ORDER BY checked_at DESC, attempt DESC, nth DESC
LIMIT $11
