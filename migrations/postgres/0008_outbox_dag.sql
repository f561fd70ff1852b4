-- Lists of alerts are narrowed to the DAGs that somebody may know of before they are cut. The SQLite file of the same number
-- makes the same column.
ALTER TABLE outbox ADD COLUMN dag text COLLATE "C";
COMMENT ON COLUMN outbox.dag IS 'The DAG it is about; null for what is about none.';
UPDATE outbox SET dag = coalesce(
    (SELECT run.dag FROM run WHERE run.id = outbox.run_id),
    substring(body FROM '"dag":"([A-Za-z0-9._-]+)"')
);
