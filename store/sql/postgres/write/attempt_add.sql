-- Attempts that are over.
INSERT INTO attempt
SELECT * FROM unnest($1::attempt[])
RETURNING 1
