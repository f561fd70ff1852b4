-- Notes on tasks and loads by their jobs outside are found without reading all of a run, or all loads. Most tasks have no note, and
-- no load that was made here has a job.
CREATE INDEX task_detail_noted ON task_detail (run_id, task_no) WHERE note IS NOT NULL;
CREATE INDEX load_of_job ON load (job_id) WHERE job_id IS NOT NULL;
