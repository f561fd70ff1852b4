-- Runs that were cleaned away and whose logs are still to go.
CREATE TABLE log_left (
    dag              TEXT NOT NULL,
    run              TEXT NOT NULL,
    PRIMARY KEY (dag, run)
) STRICT, WITHOUT ROWID;
