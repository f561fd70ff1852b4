-- What attempts returned.
INSERT INTO output (
    attempt, run_id, task_no, map_index, value, listed
)
SELECT
    value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5
FROM jsonb_each($1)
