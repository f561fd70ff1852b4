-- SQLite counts no bytes of its log.
SELECT -1
