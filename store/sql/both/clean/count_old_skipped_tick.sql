-- Ticks that made no run, before $1.
SELECT count(*) FROM skipped_tick
WHERE skipped_at < $1 AND (CAST($2 AS text) IS NULL OR dag = $2)
