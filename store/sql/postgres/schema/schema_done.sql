-- A step was taken.
INSERT INTO schema_step (number, name, checksum, applied_at) VALUES ($1, $2, $3, clock_timestamp())
