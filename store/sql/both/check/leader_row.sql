-- There is one row that says who leads, and its numbers make sense.
SELECT
    'rows: ' || count(*) || ', term: ' || coalesce(max(term), -1) || ', batch: ' || coalesce(max(batch), -1)
FROM leader
HAVING count(*) <> 1 OR min(term) < 0 OR min(batch) < 0 OR count(holder) <> count(lease_until)
LIMIT 100
