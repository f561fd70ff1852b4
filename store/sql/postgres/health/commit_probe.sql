-- A commit that reaches the disk and changes no table: a message in the log of the database that nobody reads.
SELECT (pg_logical_emit_message(true, 'tidemill', '') - '0/0'::pg_lsn)::bigint
