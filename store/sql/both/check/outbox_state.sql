-- What is in the outbox is pending, sent at some time, or dead.
SELECT 'outbox ' || id || ': ' || state
FROM outbox
WHERE state NOT IN ('pending', 'sent', 'dead') OR (state = 'sent') <> (sent_at IS NOT NULL)
LIMIT 100
