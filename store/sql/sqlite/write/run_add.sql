-- New runs. A second one for a date breaks run_date_unique, and the commit with it.
INSERT INTO run (
    id, dag, name, kind, state, version, interval_start, interval_end, due_at, created_at, started_at,
    ended_at, params, backfill, paused, priority, pool, ending, quarantine, why, note, edits, touched_by,
    touched_how, touched_at
)
SELECT
    value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7,
    value ->> 8, value ->> 9, value ->> 10, value ->> 11, value ->> 12, value ->> 13, value ->> 14,
    value ->> 15, value ->> 16, value ->> 17, value ->> 18, value ->> 19, value ->> 20, value ->> 21,
    value ->> 22, value ->> 23, value ->> 24
FROM jsonb_each($1)
