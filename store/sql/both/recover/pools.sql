-- All pools.
SELECT
    name, slots, holds_deferred, paused, edits, touched_by, touched_how, touched_at, note
FROM pool
ORDER BY name
