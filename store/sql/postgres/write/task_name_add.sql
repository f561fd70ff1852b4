-- A task keeps its number: one that is there stays.
INSERT INTO dag_task
SELECT * FROM unnest($1::dag_task[])
ON CONFLICT (dag, task_no) DO NOTHING
RETURNING 1
