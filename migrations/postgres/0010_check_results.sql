-- What came of the checks that attempts made: written in the commit that ends the attempt. The SQLite file of the same number
-- makes the same table.
CREATE TABLE check_result (
    attempt          bigint NOT NULL,
    nth              integer NOT NULL,
    run_id           bigint NOT NULL,
    task_no          integer NOT NULL,
    map_index        integer NOT NULL,
    dag              text COLLATE "C" NOT NULL,
    of_table         text COLLATE "C" NOT NULL,
    name             text COLLATE "C" NOT NULL,
    checked_at       timestamptz NOT NULL,
    kind             text NOT NULL,
    columns          text NOT NULL,
    severity         text NOT NULL,
    blocking         boolean NOT NULL,
    status           text NOT NULL,
    expected         text NOT NULL,
    observed         text NOT NULL,
    cause            text NOT NULL,
    rows_there       bigint,
    rows_checked     bigint,
    rows_failed      bigint,
    sample           text NOT NULL,
    numbers_sql      text,
    rows_sql         text,
    PRIMARY KEY (attempt, nth)
);
COMMENT ON TABLE check_result IS 'What came of the checks that attempts made. Written in the commit that ends the attempt.';
COMMENT ON COLUMN check_result.name IS 'No two checks of a table have the same.';
COMMENT ON COLUMN check_result.columns IS 'JSON list.';
COMMENT ON COLUMN check_result.severity IS 'warn or error.';
COMMENT ON COLUMN check_result.status IS 'passed, warned, failed or error.';
COMMENT ON COLUMN check_result.sample IS 'JSON list of some failing rows, masked columns as stars.';
COMMENT ON COLUMN check_result.numbers_sql IS 'The statement that gives the numbers again; rows_sql gives the failing rows.';
CREATE INDEX check_result_of_run ON check_result (run_id);
CREATE INDEX check_result_by_time ON check_result (checked_at, attempt, nth);
CREATE INDEX check_result_of_dag ON check_result (dag, checked_at, attempt, nth);
CREATE INDEX check_result_of_table ON check_result (of_table, checked_at, attempt, nth);
CREATE INDEX check_result_of_check ON check_result (dag, of_table, name, checked_at, attempt, nth);
CREATE INDEX check_result_bad ON check_result (checked_at, attempt, nth) WHERE status <> 'passed';
