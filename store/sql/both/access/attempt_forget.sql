-- Whoever this is has signed in: what was counted before does not count.
DELETE FROM login_attempt
WHERE subject = $1
