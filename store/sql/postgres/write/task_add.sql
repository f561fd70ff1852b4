-- Task instances of new runs, and new instances of mapped tasks.
INSERT INTO task
SELECT * FROM unnest($1::task[])
RETURNING 1
