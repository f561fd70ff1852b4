-- A variable as it stands.
INSERT INTO variable
SELECT * FROM unnest($1::variable[])
ON CONFLICT (name) DO UPDATE SET
    sealed = excluded.sealed, note = excluded.note, edits = excluded.edits,
    touched_by = excluded.touched_by, touched_how = excluded.touched_how, touched_at = excluded.touched_at
RETURNING 1
