-- Connections that are gone.
DELETE FROM connection WHERE name IN (SELECT value ->> 0 FROM jsonb_each($1))
