-- Who leads, and for how many microseconds at least.
SELECT
    term, coalesce(holder, ''),
    max(0, coalesce(lease_until, 0) - CAST(unixepoch('subsec') * 1000000 AS INTEGER))
FROM leader
