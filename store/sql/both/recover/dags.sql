-- All DAGs, those that were removed included.
SELECT
    id, version, paused, last_start, last_end, last_due, failures_in_row, edits, touched_by, touched_how,
    touched_at
FROM dag
ORDER BY id
