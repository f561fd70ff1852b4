-- A person has it tried again.
UPDATE outbox SET state = 'pending', next_at = $2
WHERE id = $1 AND state = 'dead'
