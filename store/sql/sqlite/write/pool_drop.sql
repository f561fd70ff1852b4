-- Pools that are gone.
DELETE FROM pool WHERE name IN (SELECT value ->> 0 FROM jsonb_each($1))
