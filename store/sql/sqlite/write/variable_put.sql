-- A variable as it stands.
INSERT INTO variable (
    name, sealed, note, edits, touched_by, touched_how, touched_at
)
SELECT
    value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6
FROM jsonb_each($1)
WHERE true
ON CONFLICT (name) DO UPDATE SET
    sealed = excluded.sealed, note = excluded.note, edits = excluded.edits,
    touched_by = excluded.touched_by, touched_how = excluded.touched_how, touched_at = excluded.touched_at
