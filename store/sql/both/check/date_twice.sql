-- A date of a DAG has one run.
SELECT 'dag ' || dag || ': ' || count(*) || ' runs for the date of run ' || min(id)
FROM run
WHERE kind IN ('scheduled', 'backfill')
GROUP BY dag, interval_start
HAVING count(*) > 1
LIMIT 100
