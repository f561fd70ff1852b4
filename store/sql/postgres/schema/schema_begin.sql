-- One process takes steps at a time: the others wait here, and then find nothing left to do.
SELECT pg_advisory_xact_lock(8387236647);
CREATE TABLE IF NOT EXISTS schema_step (
    number      bigint PRIMARY KEY,
    name        text NOT NULL,
    checksum    text NOT NULL,
    applied_at  timestamptz NOT NULL
);
COMMENT ON TABLE schema_step IS 'The steps that made this schema, each once, in order.';
