-- Changes a row if there is nobody yet. A statement of its own after the turn was taken: it sees what whoever had the
-- turn before has made.
UPDATE access_turn SET audit_last = audit_last
WHERE NOT EXISTS (SELECT 1 FROM user_account)
