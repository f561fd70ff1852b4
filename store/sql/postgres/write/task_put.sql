-- Task instances as they stand, all but the name, which never changes. One that is not there undoes the commit: rows
-- are counted.
UPDATE task AS t SET
    state = x.state, attempt = x.attempt, hand = x.hand, ended_attempt = x.ended_attempt, number = x.number,
    tries = x.tries, losses = x.losses, requeues = x.requeues, epoch = x.epoch, edits = x.edits,
    worker = x.worker, since = x.since, queued_at = x.queued_at, started_at = x.started_at,
    retry_at = x.retry_at, deadline = x.deadline, instances = x.instances
FROM unnest($1::task[]) AS x
WHERE t.run_id = x.run_id AND t.task_no = x.task_no AND t.map_index = x.map_index
RETURNING 1
