-- Holds the lead for another lease. No row: somebody else leads.
UPDATE leader SET lease_until = CAST(unixepoch('subsec') * 1000000 AS INTEGER) + $2 WHERE term = $1
