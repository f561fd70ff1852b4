-- Whoever changes access comes here first and holds the row until the change is committed. The number is that of the line
-- that the change adds to the audit log.
UPDATE access_turn SET audit_last = audit_last - 1
