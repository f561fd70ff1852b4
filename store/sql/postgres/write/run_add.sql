-- New runs. A second one for a date breaks run_date_unique, and the commit with it.
INSERT INTO run
SELECT * FROM unnest($1::run[])
RETURNING 1
