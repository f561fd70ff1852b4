-- A user as they are to be, if nobody has changed them since edit $2.
UPDATE user_account
SET
    display = $3, role = $4, disabled = $5, sso = $6,
    edits = edits + 1, touched_by = $7, touched_how = $8, touched_at = $9
WHERE name = $1 AND edits = $2
