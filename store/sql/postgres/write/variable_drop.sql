-- Variables that are gone.
DELETE FROM variable AS t USING unnest($1::variable[]) AS x
WHERE t.name = x.name
RETURNING 1
