-- A version never changes: one that is there stays.
INSERT INTO dag_version
SELECT * FROM unnest($1::dag_version[])
ON CONFLICT (dag, version) DO NOTHING
RETURNING 1
