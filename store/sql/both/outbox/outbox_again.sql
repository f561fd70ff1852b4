-- A person has it tried again, having seen this many tries.
UPDATE outbox SET state = 'pending', next_at = $3
WHERE id = $1 AND tries = $2 AND state = 'dead'
