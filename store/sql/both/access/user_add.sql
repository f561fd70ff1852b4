-- Somebody new; whoever is there stays as they are.
INSERT INTO user_account (
    name, display, password, sso, role, disabled, must_change, created_at, signed_in_at, edits,
    touched_by, touched_how, touched_at
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, NULL, 1, $9, $10, $8)
ON CONFLICT DO NOTHING
