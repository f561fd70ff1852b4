-- Changes a row if somebody is left who may change access.
UPDATE access_turn SET audit_last = audit_last
WHERE EXISTS (SELECT 1 FROM user_account WHERE role = 'admin' AND NOT disabled)
