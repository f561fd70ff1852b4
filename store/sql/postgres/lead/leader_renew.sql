-- Holds the lead for another lease. No row: somebody else leads.
UPDATE leader SET lease_until = clock_timestamp() + $2 * INTERVAL '1 microsecond' WHERE term = $1
