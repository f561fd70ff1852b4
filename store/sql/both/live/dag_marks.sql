-- The DAGs, with what changes when something is done to one of them or its timetable moves on.
SELECT id, version, paused, last_due, failures_in_row, edits FROM dag
