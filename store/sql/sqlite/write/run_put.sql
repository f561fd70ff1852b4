-- Runs as they stand. One that is not there undoes the commit: rows are counted.
UPDATE run AS t SET
    dag = x.dag, name = x.name, kind = x.kind, state = x.state, version = x.version,
    interval_start = x.interval_start, interval_end = x.interval_end, due_at = x.due_at,
    created_at = x.created_at, started_at = x.started_at, ended_at = x.ended_at, params = x.params,
    backfill = x.backfill, paused = x.paused, priority = x.priority, pool = x.pool, ending = x.ending,
    quarantine = x.quarantine, why = x.why, note = x.note, edits = x.edits, touched_by = x.touched_by,
    touched_how = x.touched_how, touched_at = x.touched_at
FROM (
    SELECT
        value ->> 0 AS id, value ->> 1 AS dag, value ->> 2 AS name, value ->> 3 AS kind, value ->> 4 AS state,
        value ->> 5 AS version, value ->> 6 AS interval_start, value ->> 7 AS interval_end,
        value ->> 8 AS due_at, value ->> 9 AS created_at, value ->> 10 AS started_at, value ->> 11 AS ended_at,
        value ->> 12 AS params, value ->> 13 AS backfill, value ->> 14 AS paused, value ->> 15 AS priority,
        value ->> 16 AS pool, value ->> 17 AS ending, value ->> 18 AS quarantine, value ->> 19 AS why,
        value ->> 20 AS note, value ->> 21 AS edits, value ->> 22 AS touched_by, value ->> 23 AS touched_how,
        value ->> 24 AS touched_at
    FROM jsonb_each($1)
) AS x
WHERE t.id = x.id
