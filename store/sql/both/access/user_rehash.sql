-- The same password under a newer hash; whoever changed it meanwhile has changed it.
UPDATE user_account SET password = $3
WHERE name = $1 AND password = $2
