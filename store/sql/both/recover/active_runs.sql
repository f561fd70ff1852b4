-- The numbers of the runs that a leader has in mind: those that have not ended, and those with a cleanup.
SELECT id FROM run WHERE state IN ('queued', 'running')
UNION
SELECT run_id FROM cleanup
ORDER BY 1
