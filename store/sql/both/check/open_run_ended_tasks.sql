-- A run in which every task has ended ends as well, at the latest a minute after the last. ($1 is a minute ago.)
SELECT 'run ' || run.id || ' (' || run.dag || ' / ' || run.name || ')'
FROM run
WHERE
    run.state = 'running' AND run.quarantine IS NULL
    AND EXISTS (SELECT 1 FROM task WHERE task.run_id = run.id)
    AND NOT EXISTS (
        SELECT 1 FROM task
        WHERE
            task.run_id = run.id
            AND (
                task.state NOT IN ('success', 'failed', 'skipped', 'upstream_failed', 'removed')
                OR task.since > $1
            )
    )
LIMIT 100
