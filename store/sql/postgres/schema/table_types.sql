-- The numbers of the types that rows of our tables have, and arrays of them.
SELECT pg_class.relname::text, pg_type.oid::bigint, pg_type.typarray::bigint
FROM pg_class
JOIN pg_type ON pg_type.oid = pg_class.reltype
WHERE pg_class.relkind = 'r' AND pg_class.relnamespace = current_schema()::regnamespace
