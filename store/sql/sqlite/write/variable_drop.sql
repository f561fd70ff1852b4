-- Variables that are gone.
DELETE FROM variable WHERE name IN (SELECT value ->> 0 FROM jsonb_each($1))
