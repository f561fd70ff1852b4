-- The names of all variables.
SELECT name FROM variable ORDER BY name
