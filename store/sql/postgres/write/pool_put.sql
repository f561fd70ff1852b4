-- A pool as it stands.
INSERT INTO pool
SELECT * FROM unnest($1::pool[])
ON CONFLICT (name) DO UPDATE SET
    slots = excluded.slots, holds_deferred = excluded.holds_deferred, paused = excluded.paused,
    edits = excluded.edits, touched_by = excluded.touched_by, touched_how = excluded.touched_how,
    touched_at = excluded.touched_at, note = excluded.note
RETURNING 1
