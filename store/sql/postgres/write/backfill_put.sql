-- A backfill as it stands.
INSERT INTO backfill
SELECT * FROM unnest($1::backfill[])
ON CONFLICT (id) DO UPDATE SET
    dag = excluded.dag, covers_from = excluded.covers_from, covers_to = excluded.covers_to,
    reprocess = excluded.reprocess, active_runs_max = excluded.active_runs_max, params = excluded.params,
    state = excluded.state, created_at = excluded.created_at, edits = excluded.edits,
    touched_by = excluded.touched_by, touched_how = excluded.touched_how, touched_at = excluded.touched_at
RETURNING 1
