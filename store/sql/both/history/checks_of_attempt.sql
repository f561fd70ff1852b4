-- What came of the checks of an attempt.
SELECT
    attempt, nth, run_id, task_no, map_index, dag, of_table, name, checked_at, kind, columns, severity, blocking,
    status, expected, observed, cause, rows_there, rows_checked, rows_failed, sample, numbers_sql, rows_sql,
    (SELECT run.name FROM run WHERE run.id = check_result.run_id) AS run_name,
    (
        SELECT task.name FROM task
        WHERE task.run_id = check_result.run_id AND task.task_no = check_result.task_no AND task.map_index = check_result.map_index
    ) AS task_name
FROM check_result
WHERE attempt = $1
ORDER BY nth
LIMIT $2
