-- How many instances of a mapped task in a run are in each state, and the first of them.
SELECT state, count(*), min(map_index)
FROM task
WHERE run_id = $1 AND task_no = $2 AND map_index >= 0
GROUP BY state
ORDER BY state
