-- Runs that have not ended, as runs_all: there is an index of only these.
SELECT
    id, dag, name, kind, state, version, interval_start, interval_end, due_at, created_at, started_at,
    ended_at, params, backfill, paused, priority, pool, ending, quarantine, why, note, edits, touched_by,
    touched_how, touched_at
FROM run
WHERE
    state IN ('queued', 'running') AND id < $1 AND interval_start >= $2 AND interval_start < $3
    AND (CAST($4 AS text) IS NULL OR state = $4)
    AND (CAST($5 AS text) IS NULL OR kind = $5)
    AND (CAST($6 AS text) IS NULL OR substr(name, 1, length(CAST($6 AS text))) = $6)
    AND (CAST($7 AS text) IS NULL OR replace(CAST($7 AS text), '/' || dag || '/', '') <> CAST($7 AS text))
ORDER BY id DESC
LIMIT $8
