-- The chains of the audit log: which, the last line that is not checked with its hash, the last line of all with its own.
SELECT audit_start.chain, audit_start.line, audit_start.hash, leader.audit_max, leader.audit_hash
FROM audit_start, leader WHERE audit_start.chain = 'leader'
UNION ALL
SELECT audit_start.chain, audit_start.line, audit_start.hash, access_turn.audit_last, access_turn.audit_hash
FROM audit_start, access_turn WHERE audit_start.chain = 'access'
