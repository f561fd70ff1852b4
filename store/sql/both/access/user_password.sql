-- Another password, or none, if nobody has changed the user since edit $2.
UPDATE user_account
SET
    password = $3, must_change = $4,
    edits = edits + 1, touched_by = $5, touched_how = $6, touched_at = $7
WHERE name = $1 AND edits = $2
