-- Writes the leader's row as it is: what one commit costs.
UPDATE leader SET holder = holder
