ALTER TABLE attempt ADD COLUMN deferred_at timestamptz;
COMMENT ON COLUMN attempt.deferred_at IS 'Since when it waited for something outside, until its end.';
