-- It was delivered. A relay whose lease had ended meanwhile does not say so: it was taken again.
UPDATE outbox SET state = 'sent', sent_at = $3, last_error = NULL
WHERE id = $1 AND tries = $2 AND state = 'pending'
