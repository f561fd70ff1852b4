-- What would go with these runs.
SELECT 'run', count(*) FROM run WHERE id IN (SELECT value FROM jsonb_each($1))
UNION ALL SELECT 'task', count(*) FROM task WHERE run_id IN (SELECT value FROM jsonb_each($1))
UNION ALL SELECT 'task_detail', count(*) FROM task_detail WHERE run_id IN (SELECT value FROM jsonb_each($1))
UNION ALL SELECT 'attempt', count(*) FROM attempt WHERE run_id IN (SELECT value FROM jsonb_each($1))
UNION ALL SELECT 'output', count(*) FROM output WHERE run_id IN (SELECT value FROM jsonb_each($1))
UNION ALL SELECT 'load', count(*) FROM load WHERE run_id IN (SELECT value FROM jsonb_each($1))
UNION ALL SELECT 'check_result', count(*) FROM check_result WHERE run_id IN (SELECT value FROM jsonb_each($1))
