-- The numbers of all tasks' names.
SELECT
    dag, task_no, name
FROM dag_task
ORDER BY dag, task_no
