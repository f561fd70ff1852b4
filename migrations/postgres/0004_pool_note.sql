ALTER TABLE pool ADD COLUMN note text;
COMMENT ON COLUMN pool.note IS 'What it is for, for people.';
