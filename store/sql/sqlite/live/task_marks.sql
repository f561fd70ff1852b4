-- Sums over the tasks of each run in the list $1 that change when one of its tasks does.
SELECT
    run_id, count(*), sum(since % 1000000007),
    sum(attempt + ended_attempt + epoch), sum(edits + number + coalesce(length(worker), 0))
FROM task
WHERE run_id IN (SELECT value FROM jsonb_each($1))
GROUP BY run_id
