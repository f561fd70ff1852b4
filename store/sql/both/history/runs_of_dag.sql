-- Runs of a DAG, the newest interval first, from a place in the list on.
SELECT
    id, dag, name, kind, state, version, interval_start, interval_end, due_at, created_at, started_at,
    ended_at, params, backfill, paused, priority, pool, ending, quarantine, why, note, edits, touched_by,
    touched_how, touched_at
FROM run
WHERE
    dag = $1 AND (interval_start, id) < ($2, $3) AND interval_start >= $4 AND interval_start < $5
    AND (CAST($6 AS text) IS NULL OR state = $6)
    AND (CAST($7 AS text) IS NULL OR kind = $7)
    AND (CAST($8 AS text) IS NULL OR substr(name, 1, length(CAST($8 AS text))) = $8)
    AND (CAST($9 AS text) IS NULL OR replace(CAST($9 AS text), '/' || dag || '/', '') <> CAST($9 AS text))
ORDER BY interval_start DESC, id DESC
LIMIT $10
