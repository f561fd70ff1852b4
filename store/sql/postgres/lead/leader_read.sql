-- Waits for a commit that is being written.
SELECT term, batch, audit_hash FROM leader FOR UPDATE
