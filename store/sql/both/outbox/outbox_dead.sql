-- It was not delivered, and is not tried again.
UPDATE outbox SET state = 'dead', last_error = $3
WHERE id = $1 AND tries = $2 AND state = 'pending'
