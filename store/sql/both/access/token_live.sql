-- Whose token this is, if it goes on and they may come in.
SELECT
    t.id, t.hash, t.name, t.user_name, t.role, t.dags, t.created_at, t.ends_at, t.used_at, t.revoked_at, t.revoked_by,
    u.name, u.display, u.password, u.sso, u.role, u.disabled, u.must_change, u.created_at, u.signed_in_at, u.edits,
    u.touched_by, u.touched_how, u.touched_at
FROM api_token AS t
JOIN user_account AS u ON u.name = t.user_name
WHERE t.hash = $1 AND t.revoked_at IS NULL AND (t.ends_at IS NULL OR t.ends_at > $2) AND NOT u.disabled
