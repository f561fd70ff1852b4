-- A DAG as it stands.
INSERT INTO dag (
    id, version, paused, last_start, last_end, last_due, failures_in_row, edits, touched_by, touched_how,
    touched_at
)
SELECT
    value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7,
    value ->> 8, value ->> 9, value ->> 10
FROM jsonb_each($1)
WHERE true
ON CONFLICT (id) DO UPDATE SET
    version = excluded.version, paused = excluded.paused, last_start = excluded.last_start,
    last_end = excluded.last_end, last_due = excluded.last_due, failures_in_row = excluded.failures_in_row,
    edits = excluded.edits, touched_by = excluded.touched_by, touched_how = excluded.touched_how,
    touched_at = excluded.touched_at
