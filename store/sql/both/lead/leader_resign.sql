-- Gives the lead up. The term stays, so that no later leader gets it again.
UPDATE leader SET holder = NULL, lease_until = NULL WHERE term = $1
