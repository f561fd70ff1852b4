-- What came of checks that attempts made.
INSERT INTO check_result
SELECT * FROM unnest($1::check_result[])
RETURNING 1
