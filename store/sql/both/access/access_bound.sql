-- Keeps the hash of the line that is added in the turn that is held.
UPDATE access_turn SET audit_hash = $1
