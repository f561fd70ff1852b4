-- What is to be told. The same is not told twice: a key that is there stays. It is due at once.
INSERT INTO outbox
SELECT * FROM unnest($1::outbox[])
ON CONFLICT (key) DO NOTHING
RETURNING 1
