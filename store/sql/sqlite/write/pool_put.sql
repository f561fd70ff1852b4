-- A pool as it stands.
INSERT INTO pool (
    name, slots, holds_deferred, paused, edits, touched_by, touched_how, touched_at, note
)
SELECT
    value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7,
    value ->> 8
FROM jsonb_each($1)
WHERE true
ON CONFLICT (name) DO UPDATE SET
    slots = excluded.slots, holds_deferred = excluded.holds_deferred, paused = excluded.paused,
    edits = excluded.edits, touched_by = excluded.touched_by, touched_how = excluded.touched_how,
    touched_at = excluded.touched_at, note = excluded.note
