-- Dates after the last one that the timetable dealt with, and that have a run: the timetable must not make another.
-- $1 is before all time, for DAGs whose timetable has made nothing yet.
SELECT run.dag, run.interval_start
FROM dag JOIN run ON run.dag = dag.id
WHERE run.kind IN ('scheduled', 'backfill') AND run.interval_start > coalesce(dag.last_start, $1)
ORDER BY run.dag, run.interval_start
