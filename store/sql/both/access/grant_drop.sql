-- What somebody may not do any more.
DELETE FROM dag_grant
WHERE user_name = $1 AND pattern = $2
