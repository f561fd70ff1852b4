-- Backfills from before $1 that are over and of whose runs none is left, and their dates.
DELETE FROM backfill
WHERE id IN (
    SELECT id FROM backfill
    WHERE state IN ('done', 'cancelled') AND created_at < $1 AND (CAST($2 AS text) IS NULL OR dag = $2)
        AND NOT EXISTS (SELECT 1 FROM run WHERE run.backfill = backfill.id)
    ORDER BY id
    LIMIT $3
)
