-- What would go with these runs.
SELECT 'run', count(*) FROM run WHERE id = ANY ($1::bigint[])
UNION ALL SELECT 'task', count(*) FROM task WHERE run_id = ANY ($1::bigint[])
UNION ALL SELECT 'task_detail', count(*) FROM task_detail WHERE run_id = ANY ($1::bigint[])
UNION ALL SELECT 'attempt', count(*) FROM attempt WHERE run_id = ANY ($1::bigint[])
UNION ALL SELECT 'output', count(*) FROM output WHERE run_id = ANY ($1::bigint[])
UNION ALL SELECT 'load', count(*) FROM load WHERE run_id = ANY ($1::bigint[])
UNION ALL SELECT 'check_result', count(*) FROM check_result WHERE run_id = ANY ($1::bigint[])
