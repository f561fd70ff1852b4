-- Runs that are gone and whose logs are to go, and whether there is a run of that name again.
SELECT dag, run, EXISTS (SELECT 1 FROM run WHERE run.dag = log_left.dag AND run.name = log_left.run)
FROM log_left
ORDER BY dag, run
LIMIT $1
