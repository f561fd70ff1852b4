-- SQLite has no commit that changes nothing.
SELECT 0
