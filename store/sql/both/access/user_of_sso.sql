-- Who this is that signed in elsewhere.
SELECT
    name, display, password, sso, role, disabled, must_change, created_at, signed_in_at, edits,
    touched_by, touched_how, touched_at
FROM user_account
WHERE sso = $1
