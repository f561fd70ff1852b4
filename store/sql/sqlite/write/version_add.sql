-- A version never changes: one that is there stays.
INSERT INTO dag_version (
    dag, version, spec, deployed_at
)
SELECT
    value ->> 0, value ->> 1, value ->> 2, value ->> 3
FROM jsonb_each($1)
WHERE true
ON CONFLICT (dag, version) DO NOTHING
