-- Sums over the tasks of each run in the list $1 that change when one of its tasks does.
SELECT
    run_id, count(*), sum((extract(epoch FROM since) * 1000000)::bigint % 1000000007)::bigint,
    sum(attempt + ended_attempt + epoch)::bigint, sum(edits::bigint + number + coalesce(length(worker), 0))::bigint
FROM task
WHERE run_id = ANY ($1::bigint[])
GROUP BY run_id
