-- A DAG as it stands.
INSERT INTO dag
SELECT * FROM unnest($1::dag[])
ON CONFLICT (id) DO UPDATE SET
    version = excluded.version, paused = excluded.paused, last_start = excluded.last_start,
    last_end = excluded.last_end, last_due = excluded.last_due, failures_in_row = excluded.failures_in_row,
    edits = excluded.edits, touched_by = excluded.touched_by, touched_how = excluded.touched_how,
    touched_at = excluded.touched_at
RETURNING 1
