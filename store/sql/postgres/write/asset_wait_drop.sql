-- Changes that a run has used.
DELETE FROM asset_wait AS t USING unnest($1::asset_wait[]) AS x
WHERE t.dag = x.dag AND t.asset = x.asset
RETURNING 1
