-- Takes the lead if nobody holds it, or a lease has ended by the clock of the database.
UPDATE leader SET
    term = term + 1, batch = 0, holder = $1,
    lease_until = clock_timestamp() + $2 * INTERVAL '1 microsecond'
WHERE holder IS NULL OR lease_until < clock_timestamp()
RETURNING term, audit_hash
