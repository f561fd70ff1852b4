-- Run by the writer, whose turn comes after a commit that is being written.
SELECT term, batch, audit_hash FROM leader
