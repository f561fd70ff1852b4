-- DAGs with this in their name, in small letters.
SELECT id FROM dag WHERE strpos(lower(id), $1) > 0 ORDER BY id LIMIT $2
