-- The names of all connections.
SELECT name FROM connection ORDER BY name
