-- Attempts of which nothing is left.
DELETE FROM cleanup AS t USING unnest($1::cleanup[]) AS x
WHERE t.attempt = x.attempt
RETURNING 1
