-- A task keeps its number: one that is there stays.
INSERT INTO dag_task (
    dag, task_no, name
)
SELECT
    value ->> 0, value ->> 1, value ->> 2
FROM jsonb_each($1)
WHERE true
ON CONFLICT (dag, task_no) DO NOTHING
