-- Nothing is told twice.
SELECT 'key ' || key || ': ' || count(*) || ' times'
FROM outbox
GROUP BY key
HAVING count(*) > 1
LIMIT 100
