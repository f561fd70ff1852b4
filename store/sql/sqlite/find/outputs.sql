-- What these attempts returned.
SELECT attempt, run_id, task_no, map_index, value, listed
FROM output
WHERE attempt IN (SELECT value FROM jsonb_each($1))
ORDER BY attempt
