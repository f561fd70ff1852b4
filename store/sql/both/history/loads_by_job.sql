-- What a job outside loaded.
SELECT load.destination, load.dag, run.name, task.name, load.map_index
FROM load
JOIN run ON run.id = load.run_id
JOIN task ON task.run_id = load.run_id AND task.task_no = load.task_no AND task.map_index = load.map_index
WHERE load.job_id = $1
    AND (CAST($2 AS text) IS NULL OR replace(CAST($2 AS text), '/' || load.dag || '/', '') <> CAST($2 AS text))
ORDER BY load.attempt DESC, load.nth
LIMIT $3
