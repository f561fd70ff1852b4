-- There is one row that gives the turn, and no line of the audit log about access is beyond its number.
SELECT 'row of access_turn: ' || count(*) FROM access_turn HAVING count(*) <> 1
UNION ALL
SELECT 'audit ' || found.low || ' is beyond ' || audit_last
FROM access_turn, (SELECT min(id) AS low FROM audit) AS found WHERE found.low < audit_last
LIMIT 100
