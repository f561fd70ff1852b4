CREATE TABLE log_left (
    dag              text COLLATE "C" NOT NULL,
    run              text COLLATE "C" NOT NULL,
    PRIMARY KEY (dag, run)
);
COMMENT ON TABLE log_left IS 'Runs that were cleaned away and whose logs are still to go.';
