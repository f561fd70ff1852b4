-- No number is higher than the highest that was ever given.
SELECT 'run ' || found.top || ' is beyond ' || run_max
FROM leader, (SELECT max(id) AS top FROM run) AS found WHERE found.top > run_max
UNION ALL
SELECT 'attempt ' || found.top || ' is beyond ' || attempt_max
FROM leader, (SELECT max(id) AS top FROM attempt) AS found WHERE found.top > attempt_max
UNION ALL
SELECT 'attempt ' || found.top || ' of a task is beyond ' || attempt_max
FROM leader, (SELECT max(attempt) AS top FROM task) AS found WHERE found.top > attempt_max
UNION ALL
SELECT 'backfill ' || found.top || ' is beyond ' || backfill_max
FROM leader, (SELECT max(id) AS top FROM backfill) AS found WHERE found.top > backfill_max
UNION ALL
SELECT 'asset event ' || found.top || ' is beyond ' || asset_event_max
FROM leader, (SELECT max(id) AS top FROM asset_event) AS found WHERE found.top > asset_event_max
UNION ALL
SELECT 'outbox ' || found.top || ' is beyond ' || outbox_max
FROM leader, (SELECT max(id) AS top FROM outbox) AS found WHERE found.top > outbox_max
UNION ALL
SELECT 'audit ' || found.top || ' is beyond ' || audit_max
FROM leader, (SELECT max(id) AS top FROM audit) AS found WHERE found.top > audit_max
LIMIT 100
