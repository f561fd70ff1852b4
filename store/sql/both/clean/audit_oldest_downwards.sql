-- The oldest lines about access in the audit log, and when they were written.
SELECT id, done_at FROM audit WHERE id < 0 ORDER BY id DESC LIMIT $1
