-- The last try to sign in from here was a good one.
UPDATE login_attempt SET attempts = attempts - 1
WHERE subject = $1 AND attempts > 0
