-- Backfills, the newest first, from a place in the list on; of all DAGs or of some.
SELECT
    id, dag, covers_from, covers_to, reprocess, active_runs_max, params, state, created_at, edits, touched_by,
    touched_how, touched_at
FROM backfill
WHERE id < $1 AND (CAST($2 AS text) IS NULL OR replace(CAST($2 AS text), '/' || dag || '/', '') <> CAST($2 AS text))
ORDER BY id DESC
LIMIT $3
