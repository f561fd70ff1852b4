-- Lists of alerts are narrowed to the DAGs that somebody may know of before they are cut. The PostgreSQL file of the same number
-- makes the same column.

-- The DAG it is about; null for what is about none.
ALTER TABLE outbox ADD COLUMN dag TEXT;
UPDATE outbox SET dag = coalesce(
    (SELECT run.dag FROM run WHERE run.id = outbox.run_id),
    CASE WHEN json_valid(body) THEN body ->> '$.dag' END
);
