-- A connection as it stands.
INSERT INTO connection (
    name, kind, fields, sealed, edits, touched_by, touched_how, touched_at
)
SELECT
    value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7
FROM jsonb_each($1)
WHERE true
ON CONFLICT (name) DO UPDATE SET
    kind = excluded.kind, fields = excluded.fields, sealed = excluded.sealed,
    edits = excluded.edits, touched_by = excluded.touched_by, touched_how = excluded.touched_how, touched_at = excluded.touched_at
