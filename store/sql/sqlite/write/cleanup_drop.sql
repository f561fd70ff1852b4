-- Attempts of which nothing is left.
DELETE FROM cleanup WHERE attempt IN (SELECT value ->> 0 FROM jsonb_each($1))
