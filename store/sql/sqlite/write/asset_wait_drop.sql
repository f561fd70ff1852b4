-- Changes that a run has used.
DELETE FROM asset_wait WHERE (dag, asset) IN (SELECT value ->> 0, value ->> 1 FROM jsonb_each($1))
