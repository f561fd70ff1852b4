-- All attempts that may still hold something.
SELECT
    attempt, run_id, task_no, map_index, hand, number, epoch, handle, worker, since
FROM cleanup
ORDER BY attempt
