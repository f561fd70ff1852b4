-- Each line of the audit log is bound to the line before it of its own kind, so that a line that was changed, added or taken
-- away by hand shows. The SQLite file of the same number makes the same columns.
ALTER TABLE audit ADD COLUMN hash text COLLATE "C";
COMMENT ON COLUMN audit.hash IS 'SHA-256 over the hash of the line before and over this line. Null: written before there was one.';

ALTER TABLE leader ADD COLUMN audit_hash text COLLATE "C" NOT NULL DEFAULT '';
COMMENT ON COLUMN leader.audit_hash IS 'The hash of the last line that the leader wrote.';
ALTER TABLE access_turn ADD COLUMN audit_hash text COLLATE "C" NOT NULL DEFAULT '';
COMMENT ON COLUMN access_turn.audit_hash IS 'The hash of the last line about access.';

CREATE TABLE audit_start (
    chain            text COLLATE "C" PRIMARY KEY,
    line             bigint NOT NULL,
    hash             text COLLATE "C" NOT NULL
);
COMMENT ON TABLE audit_start IS 'Where the two chains of the audit log begin: those of the leader and about access.';
COMMENT ON COLUMN audit_start.line IS 'The last line that is not checked: it was cleaned away, or is older than the chain.';
COMMENT ON COLUMN audit_start.hash IS 'Its hash; empty if it had none.';
INSERT INTO audit_start SELECT 'leader', audit_max, '' FROM leader;
INSERT INTO audit_start SELECT 'access', audit_last, '' FROM access_turn;
