-- A session was used. One that was seen by another process meanwhile stays as that one wrote it.
UPDATE session SET seen_at = $2, ends_at = $3
WHERE hash = $1 AND seen_at < $2
