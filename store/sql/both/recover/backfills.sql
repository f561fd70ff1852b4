-- Backfills that still make runs, or may again.
SELECT
    id, dag, covers_from, covers_to, reprocess, active_runs_max, params, state, created_at, edits, touched_by,
    touched_how, touched_at
FROM backfill
WHERE state IN ('active', 'paused')
ORDER BY id
