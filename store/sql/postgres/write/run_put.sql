-- Runs as they stand. One that is not there undoes the commit: rows are counted.
UPDATE run AS t SET
    dag = x.dag, name = x.name, kind = x.kind, state = x.state, version = x.version,
    interval_start = x.interval_start, interval_end = x.interval_end, due_at = x.due_at,
    created_at = x.created_at, started_at = x.started_at, ended_at = x.ended_at, params = x.params,
    backfill = x.backfill, paused = x.paused, priority = x.priority, pool = x.pool, ending = x.ending,
    quarantine = x.quarantine, why = x.why, note = x.note, edits = x.edits, touched_by = x.touched_by,
    touched_how = x.touched_how, touched_at = x.touched_at
FROM unnest($1::run[]) AS x
WHERE t.id = x.id
RETURNING 1
