-- What people did.
INSERT INTO audit
SELECT * FROM unnest($1::audit[])
RETURNING 1
