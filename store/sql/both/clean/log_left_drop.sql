-- The logs of this run are gone.
DELETE FROM log_left WHERE dag = $1 AND run = $2
