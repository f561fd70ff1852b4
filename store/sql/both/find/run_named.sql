-- The run of this name.
SELECT
    id, dag, name, kind, state, version, interval_start, interval_end, due_at, created_at, started_at,
    ended_at, params, backfill, paused, priority, pool, ending, quarantine, why, note, edits, touched_by,
    touched_how, touched_at
FROM run
WHERE dag = $1 AND name = $2
