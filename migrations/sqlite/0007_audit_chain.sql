-- Each line of the audit log is bound to the line before it of its own kind, so that a line that was changed, added or taken
-- away by hand shows. The PostgreSQL file of the same number makes the same columns.

-- SHA-256 over the hash of the line before and over this line. Null: written before there was one.
ALTER TABLE audit ADD COLUMN hash TEXT;
-- The hash of the last line that the leader wrote.
ALTER TABLE leader ADD COLUMN audit_hash TEXT NOT NULL DEFAULT '';
-- The hash of the last line about access.
ALTER TABLE access_turn ADD COLUMN audit_hash TEXT NOT NULL DEFAULT '';

-- Where the two chains of the audit log begin: those of the leader and about access.
CREATE TABLE audit_start (
    chain            TEXT PRIMARY KEY,
    -- The last line that is not checked: it was cleaned away, or is older than the chain.
    line             INTEGER NOT NULL,
    -- Its hash; empty if it had none.
    hash             TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO audit_start SELECT 'leader', audit_max, '' FROM leader;
INSERT INTO audit_start SELECT 'access', audit_last, '' FROM access_turn;
