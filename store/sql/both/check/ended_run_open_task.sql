-- In a run that has ended, every task has.
SELECT
    'run ' || task.run_id || ', task ' || task.task_no || ', index ' || task.map_index || ': ' || task.state
    || ' in a run that is ' || run.state
FROM run
JOIN task ON task.run_id = run.id
WHERE
    run.state IN ('success', 'failed', 'cancelled')
    AND task.state NOT IN ('success', 'failed', 'skipped', 'upstream_failed', 'removed')
LIMIT 100
