-- Whose session this is, if it goes on and they may come in.
SELECT
    s.hash, s.user_name, s.created_at, s.seen_at, s.ends_at, s.address, s.user_agent,
    u.name, u.display, u.password, u.sso, u.role, u.disabled, u.must_change, u.created_at, u.signed_in_at, u.edits,
    u.touched_by, u.touched_how, u.touched_at
FROM session AS s
JOIN user_account AS u ON u.name = s.user_name
WHERE s.hash = $1 AND s.ends_at > $2 AND NOT u.disabled
