-- What attempts loaded.
INSERT INTO load
SELECT * FROM unnest($1::load[])
RETURNING 1
