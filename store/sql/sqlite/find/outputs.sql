-- What these instances returned, of those that succeeded.
SELECT
    output.attempt, output.run_id, output.task_no, output.map_index, output.value, output.listed
FROM (
    SELECT value ->> 0 AS run_id, value ->> 1 AS task_no, value ->> 2 AS map_index FROM jsonb_each($1)
) AS x
JOIN task
    ON task.run_id = x.run_id AND task.task_no = x.task_no AND task.map_index = x.map_index
JOIN output ON output.attempt = task.attempt
WHERE task.state = 'success'
ORDER BY output.attempt
