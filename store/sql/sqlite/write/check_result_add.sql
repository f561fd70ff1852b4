-- What came of checks that attempts made.
INSERT INTO check_result (
    attempt, nth, run_id, task_no, map_index, dag, of_table, name, checked_at, kind, columns, severity, blocking,
    status, expected, observed, cause, rows_there, rows_checked, rows_failed, sample, numbers_sql, rows_sql
)
SELECT
    value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7,
    value ->> 8, value ->> 9, value ->> 10, value ->> 11, value ->> 12, value ->> 13, value ->> 14, value ->>
    15, value ->> 16, value ->> 17, value ->> 18, value ->> 19, value ->> 20, value ->> 21, value ->> 22
FROM jsonb_each($1)
