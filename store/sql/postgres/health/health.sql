-- What the server is, and how it keeps what was committed.
SELECT 'clock', (extract(epoch FROM clock_timestamp()) * 1000000)::bigint::text
UNION ALL SELECT 'version', current_setting('server_version')
UNION ALL SELECT 'fsync', current_setting('fsync')
UNION ALL SELECT 'synchronous_commit', current_setting('synchronous_commit')
UNION ALL SELECT 'full_page_writes', current_setting('full_page_writes')
