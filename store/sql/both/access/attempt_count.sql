-- One more try to sign in. A window that began before $3 is over, and another begins.
INSERT INTO login_attempt (subject, attempts, since)
VALUES ($1, 1, $2)
ON CONFLICT (subject) DO UPDATE SET
    attempts = CASE WHEN login_attempt.since <= $3 THEN 1 ELSE login_attempt.attempts + 1 END,
    since = CASE WHEN login_attempt.since <= $3 THEN excluded.since ELSE login_attempt.since END
RETURNING subject, attempts, since
