-- The steps that were taken.
SELECT number, name, checksum, applied_at FROM schema_step ORDER BY number
