-- The oldest lines of the leader in the audit log, and when they were written.
SELECT id, done_at FROM audit WHERE id > 0 ORDER BY id LIMIT $1
