-- What these instances returned, of those that succeeded.
SELECT
    output.attempt, output.run_id, output.task_no, output.map_index, output.value, output.listed
FROM unnest($1::bigint[], $2::integer[], $3::integer[]) AS x (run_id, task_no, map_index)
JOIN task
    ON task.run_id = x.run_id AND task.task_no = x.task_no AND task.map_index = x.map_index
JOIN output ON output.attempt = task.attempt
WHERE task.state = 'success'
ORDER BY output.attempt
