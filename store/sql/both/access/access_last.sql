-- The number of the line that is added in the turn that is held, and the hash of the line before it.
SELECT audit_last, audit_hash FROM access_turn
