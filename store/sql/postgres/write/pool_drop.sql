-- Pools that are gone.
DELETE FROM pool AS t USING unnest($1::pool[]) AS x
WHERE t.name = x.name
RETURNING 1
