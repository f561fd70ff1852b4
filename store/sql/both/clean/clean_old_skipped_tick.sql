-- Ticks that made no run, before $1.
DELETE FROM skipped_tick
WHERE (dag, interval_start) IN (
    SELECT dag, interval_start FROM skipped_tick
    WHERE skipped_at < $1 AND (CAST($2 AS text) IS NULL OR dag = $2)
    ORDER BY dag, interval_start
    LIMIT $3
)
