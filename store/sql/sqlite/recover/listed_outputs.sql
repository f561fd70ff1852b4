-- Outputs of these runs that mapped tasks are expanded over, of the attempts that count.
SELECT
    output.attempt, output.run_id, output.task_no, output.map_index, output.value, output.listed
FROM output
JOIN task
    ON task.run_id = output.run_id AND task.task_no = output.task_no
    AND task.map_index = output.map_index AND task.attempt = output.attempt
WHERE output.run_id IN (SELECT value FROM jsonb_each($1)) AND output.listed
ORDER BY output.attempt
