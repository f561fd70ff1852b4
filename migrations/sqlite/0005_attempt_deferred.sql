-- Since when it waited for something outside, until its end.
ALTER TABLE attempt ADD COLUMN deferred_at INTEGER;
