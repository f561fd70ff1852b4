-- Runs that are gone and whose logs are to go.
SELECT dag, run
FROM log_left
ORDER BY dag, run
LIMIT $1
