-- What people did before $1: from the beginning of each chain to the first line that is not so old.
SELECT count(*) FROM audit
WHERE id BETWEEN
    coalesce((SELECT max(id) + 1 FROM audit WHERE id < 0 AND done_at >= $1), -9223372036854775807)
    AND coalesce((SELECT min(id) - 1 FROM audit WHERE id > 0 AND done_at >= $1), 9223372036854775807)
