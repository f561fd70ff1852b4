-- What came of the checks that attempts made: written in the commit that ends the attempt. The PostgreSQL file of the same number
-- makes the same table.
CREATE TABLE check_result (
    attempt          INTEGER NOT NULL,
    nth              INTEGER NOT NULL,
    run_id           INTEGER NOT NULL,
    task_no          INTEGER NOT NULL,
    map_index        INTEGER NOT NULL,
    dag              TEXT NOT NULL,
    of_table         TEXT NOT NULL,
    -- No two checks of a table have the same.
    name             TEXT NOT NULL,
    checked_at       INTEGER NOT NULL,
    kind             TEXT NOT NULL,
    -- JSON list.
    columns          TEXT NOT NULL,
    -- warn or error.
    severity         TEXT NOT NULL,
    blocking         INTEGER NOT NULL,
    -- passed, warned, failed or error.
    status           TEXT NOT NULL,
    expected         TEXT NOT NULL,
    observed         TEXT NOT NULL,
    cause            TEXT NOT NULL,
    rows_there       INTEGER,
    rows_checked     INTEGER,
    rows_failed      INTEGER,
    -- JSON list of some failing rows, masked columns as stars.
    sample           TEXT NOT NULL,
    -- The statements that give the numbers and the failing rows again.
    numbers_sql      TEXT,
    rows_sql         TEXT,
    PRIMARY KEY (attempt, nth)
) STRICT;
CREATE INDEX check_result_of_run ON check_result (run_id);
CREATE INDEX check_result_by_time ON check_result (checked_at, attempt, nth);
CREATE INDEX check_result_of_dag ON check_result (dag, checked_at, attempt, nth);
CREATE INDEX check_result_of_table ON check_result (of_table, checked_at, attempt, nth);
CREATE INDEX check_result_of_check ON check_result (dag, of_table, name, checked_at, attempt, nth);
CREATE INDEX check_result_bad ON check_result (checked_at, attempt, nth) WHERE status <> 'passed';
