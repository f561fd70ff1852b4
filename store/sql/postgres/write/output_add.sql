-- What attempts returned.
INSERT INTO output
SELECT * FROM unnest($1::output[])
RETURNING 1
