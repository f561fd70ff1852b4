-- It was not delivered, and is tried again at $3.
UPDATE outbox SET next_at = $3, last_error = $4
WHERE id = $1 AND tries = $2 AND state = 'pending'
