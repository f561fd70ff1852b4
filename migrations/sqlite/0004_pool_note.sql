-- What it is for, for people.
ALTER TABLE pool ADD COLUMN note TEXT;
