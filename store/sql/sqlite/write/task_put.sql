-- Task instances as they stand, all but the name, which never changes. One that is not there undoes the commit: rows
-- are counted.
UPDATE task AS t SET
    state = x.state, attempt = x.attempt, hand = x.hand, ended_attempt = x.ended_attempt, number = x.number,
    tries = x.tries, losses = x.losses, requeues = x.requeues, epoch = x.epoch, edits = x.edits,
    worker = x.worker, since = x.since, queued_at = x.queued_at, started_at = x.started_at,
    retry_at = x.retry_at, deadline = x.deadline, instances = x.instances
FROM (
    SELECT
        value ->> 0 AS run_id, value ->> 1 AS task_no, value ->> 2 AS map_index, value ->> 4 AS state,
        value ->> 5 AS attempt, value ->> 6 AS hand, value ->> 7 AS ended_attempt, value ->> 8 AS number,
        value ->> 9 AS tries, value ->> 10 AS losses, value ->> 11 AS requeues, value ->> 12 AS epoch,
        value ->> 13 AS edits, value ->> 14 AS worker, value ->> 15 AS since, value ->> 16 AS queued_at,
        value ->> 17 AS started_at, value ->> 18 AS retry_at, value ->> 19 AS deadline,
        value ->> 20 AS instances
    FROM jsonb_each($1)
) AS x
WHERE t.run_id = x.run_id AND t.task_no = x.task_no AND t.map_index = x.map_index
