-- A backfill as it stands.
INSERT INTO backfill (
    id, dag, covers_from, covers_to, reprocess, active_runs_max, params, state, created_at, edits, touched_by,
    touched_how, touched_at
)
SELECT
    value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7,
    value ->> 8, value ->> 9, value ->> 10, value ->> 11, value ->> 12
FROM jsonb_each($1)
WHERE true
ON CONFLICT (id) DO UPDATE SET
    dag = excluded.dag, covers_from = excluded.covers_from, covers_to = excluded.covers_to,
    reprocess = excluded.reprocess, active_runs_max = excluded.active_runs_max, params = excluded.params,
    state = excluded.state, created_at = excluded.created_at, edits = excluded.edits,
    touched_by = excluded.touched_by, touched_how = excluded.touched_how, touched_at = excluded.touched_at
