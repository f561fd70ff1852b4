-- Who leads, and for how many microseconds at least.
SELECT
    term, coalesce(holder, ''),
    greatest(0, extract(epoch FROM lease_until - clock_timestamp()) * 1000000)::bigint
FROM leader
