-- What these attempts returned.
SELECT attempt, run_id, task_no, map_index, value, listed
FROM output
WHERE attempt = ANY ($1::bigint[])
ORDER BY attempt
