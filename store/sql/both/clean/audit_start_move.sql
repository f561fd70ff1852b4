-- The chain $1 of the audit log begins after line $2 from now on. It never begins earlier again.
UPDATE audit_start SET line = $2, hash = coalesce((SELECT hash FROM audit WHERE id = $2), '')
WHERE chain = $1 AND abs(line) < abs($2)
