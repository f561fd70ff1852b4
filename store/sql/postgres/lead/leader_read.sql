-- Waits for a commit that is being written.
SELECT term, batch FROM leader FOR UPDATE
