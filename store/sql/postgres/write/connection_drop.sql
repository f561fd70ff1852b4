-- Connections that are gone.
DELETE FROM connection AS t USING unnest($1::connection[]) AS x
WHERE t.name = x.name
RETURNING 1
