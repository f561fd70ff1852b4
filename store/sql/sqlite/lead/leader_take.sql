-- Takes the lead. The lock beside the file has shown that nobody else is there: a lease on record is a dead one's.
UPDATE leader SET
    term = term + 1, batch = 0, holder = $1,
    lease_until = CAST(unixepoch('subsec') * 1000000 AS INTEGER) + $2
RETURNING term, audit_hash
