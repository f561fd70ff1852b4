-- How many bytes were ever written to the write-ahead log.
SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint
