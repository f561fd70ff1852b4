-- A connection as it stands.
INSERT INTO connection
SELECT * FROM unnest($1::connection[])
ON CONFLICT (name) DO UPDATE SET
    kind = excluded.kind, fields = excluded.fields, sealed = excluded.sealed,
    edits = excluded.edits, touched_by = excluded.touched_by, touched_how = excluded.touched_how, touched_at = excluded.touched_at
RETURNING 1
