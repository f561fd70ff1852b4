-- The runs that have not ended, those in the list $1, and those newer than $2, with what changes when one of them does.
SELECT id, dag, state, edits, paused, coalesce(length(why), 0) + coalesce(length(quarantine), 0) AS words
FROM run WHERE state IN ('queued', 'running')
UNION
SELECT id, dag, state, edits, paused, coalesce(length(why), 0) + coalesce(length(quarantine), 0) AS words
FROM run WHERE id = ANY ($1::bigint[])
UNION
SELECT id, dag, state, edits, paused, coalesce(length(why), 0) + coalesce(length(quarantine), 0) AS words
FROM run WHERE id > $2
