-- The steps that made this schema, each once, in order.
CREATE TABLE IF NOT EXISTS schema_step (
    number      INTEGER PRIMARY KEY,
    name        TEXT NOT NULL,
    checksum    TEXT NOT NULL,
    applied_at  INTEGER NOT NULL
) STRICT;
