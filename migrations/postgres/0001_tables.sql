-- Everything that Tidemill keeps. The SQLite file of the same number makes the same tables with the same columns.
--
-- States are words, so that a query by hand needs no legend. What is JSON is kept as text: it is read back byte by
-- byte as it was written, and what a worker sends cannot make a commit fail. To query it: `params::jsonb ->> 'day'`.
-- Names sort by their bytes (COLLATE "C") on every machine alike.

CREATE TABLE leader (
    one              boolean PRIMARY KEY DEFAULT true CHECK (one),
    term             bigint NOT NULL DEFAULT 0,
    batch            bigint NOT NULL DEFAULT 0,
    holder           text,
    lease_until      timestamptz,
    run_max          bigint NOT NULL DEFAULT 0,
    attempt_max      bigint NOT NULL DEFAULT 0,
    backfill_max     bigint NOT NULL DEFAULT 0,
    asset_event_max  bigint NOT NULL DEFAULT 0,
    outbox_max       bigint NOT NULL DEFAULT 0,
    audit_max        bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 10);
COMMENT ON TABLE leader IS 'One row: which scheduler leads. Every commit names the term and the batch it expects here.';
COMMENT ON COLUMN leader.term IS 'Grows whenever somebody takes the lead.';
COMMENT ON COLUMN leader.batch IS 'The last batch of this term that was committed.';
COMMENT ON COLUMN leader.lease_until IS 'By the clock of the database. After it somebody else may lead.';
COMMENT ON COLUMN leader.run_max IS 'The highest number ever given to a run; it stays when the run is cleaned away.';
INSERT INTO leader DEFAULT VALUES;

CREATE TABLE dag (
    id               text COLLATE "C" PRIMARY KEY,
    version          text COLLATE "C",
    paused           boolean NOT NULL,
    last_start       timestamptz,
    last_end         timestamptz,
    last_due         timestamptz,
    failures_in_row  integer NOT NULL,
    edits            integer NOT NULL,
    touched_by       text,
    touched_how      text,
    touched_at       timestamptz
);
COMMENT ON TABLE dag IS 'The DAGs, those that were removed included.';
COMMENT ON COLUMN dag.version IS 'What new runs take; null once the DAG was removed.';
COMMENT ON COLUMN dag.last_due IS 'When the last run was due that the timetable made or skipped.';

CREATE TABLE dag_version (
    dag              text COLLATE "C" NOT NULL,
    version          text COLLATE "C" NOT NULL,
    spec             text NOT NULL,
    deployed_at      timestamptz NOT NULL,
    PRIMARY KEY (dag, version)
);
COMMENT ON TABLE dag_version IS 'What a DAG was, version by version. Rows never change.';
COMMENT ON COLUMN dag_version.spec IS 'JSON.';

CREATE TABLE dag_task (
    dag              text COLLATE "C" NOT NULL,
    task_no          integer NOT NULL,
    name             text COLLATE "C" NOT NULL,
    PRIMARY KEY (dag, task_no),
    UNIQUE (dag, name)
);
COMMENT ON TABLE dag_task IS 'The numbers of a DAG''s tasks, the same over all its versions.';

CREATE TABLE run (
    id               bigint PRIMARY KEY,
    dag              text COLLATE "C" NOT NULL,
    name             text COLLATE "C" NOT NULL,
    kind             text NOT NULL,
    state            text NOT NULL,
    version          text COLLATE "C" NOT NULL,
    interval_start   timestamptz NOT NULL,
    interval_end     timestamptz NOT NULL,
    due_at           timestamptz NOT NULL,
    created_at       timestamptz NOT NULL,
    started_at       timestamptz,
    ended_at         timestamptz,
    params           text NOT NULL,
    backfill         bigint,
    paused           boolean NOT NULL,
    priority         integer NOT NULL,
    pool             text COLLATE "C",
    ending           text,
    quarantine       text,
    why              text,
    note             text,
    edits            integer NOT NULL,
    touched_by       text,
    touched_how      text,
    touched_at       timestamptz,
    CONSTRAINT run_name_unique UNIQUE (dag, name)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);
COMMENT ON TABLE run IS 'Runs of DAGs: queued, running, success, failed, cancelled.';
COMMENT ON COLUMN run.kind IS 'How it came about: scheduled, manual, backfill, asset.';
COMMENT ON COLUMN run.interval_start IS 'The start of what it covers; {ds} is its date.';
COMMENT ON COLUMN run.params IS 'JSON.';
COMMENT ON COLUMN run.edits IS 'Grows with every end and every change by a person.';
-- A date has one run. Runs by hand and by assets may share one.
CREATE UNIQUE INDEX run_date_unique ON run (dag, interval_start) WHERE kind IN ('scheduled', 'backfill');
CREATE INDEX run_of_dag ON run (dag, interval_start, id);
CREATE INDEX run_active ON run (id) WHERE state IN ('queued', 'running');
CREATE INDEX run_failed ON run (id) WHERE state IN ('failed', 'cancelled');
CREATE INDEX run_of_backfill ON run (backfill) WHERE backfill IS NOT NULL;

CREATE TABLE task (
    run_id           bigint NOT NULL,
    task_no          integer NOT NULL,
    map_index        integer NOT NULL,
    name             text COLLATE "C" NOT NULL,
    state            text NOT NULL,
    attempt          bigint NOT NULL,
    hand             integer NOT NULL,
    ended_attempt    bigint NOT NULL,
    number           integer NOT NULL,
    tries            integer NOT NULL,
    losses           integer NOT NULL,
    requeues         integer NOT NULL,
    epoch            integer NOT NULL,
    edits            integer NOT NULL,
    worker           text,
    since            timestamptz NOT NULL,
    queued_at        timestamptz,
    started_at       timestamptz,
    retry_at         timestamptz,
    deadline         timestamptz,
    instances        integer,
    PRIMARY KEY (run_id, task_no, map_index)
-- Every change of a task is one more version of its row. They find room on their page, and no index hangs on a column
-- that changes, so the indexes never hear of them. What is dead goes soon.
) WITH (
    fillfactor = 70,
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_cost_delay = 0,
    autovacuum_analyze_scale_factor = 0.05
);
COMMENT ON TABLE task IS 'Task instances as they stand. What happened to them is in attempt.';
COMMENT ON COLUMN task.map_index IS '-1 for a task that is not mapped, and for a mapped task as a whole.';
COMMENT ON COLUMN task.attempt IS 'The current attempt, or the last; 0 before the first.';
COMMENT ON COLUMN task.number IS 'The number of that attempt within the task, for people.';
COMMENT ON COLUMN task.since IS 'When it came into its state.';

CREATE TABLE task_detail (
    run_id           bigint NOT NULL,
    task_no          integer NOT NULL,
    map_index        integer NOT NULL,
    handle           text,
    why              text,
    item             text,
    said_ways        text,
    said_pass        boolean,
    note             text,
    touched_by       text,
    touched_how      text,
    touched_at       timestamptz,
    PRIMARY KEY (run_id, task_no, map_index)
) WITH (fillfactor = 80);
COMMENT ON TABLE task_detail IS 'What only some task instances have.';
COMMENT ON COLUMN task_detail.handle IS 'What its attempt waits for outside; JSON.';
COMMENT ON COLUMN task_detail.item IS 'What it is mapped over; JSON.';
COMMENT ON COLUMN task_detail.said_ways IS 'The ways that a branch chose; JSON.';
COMMENT ON COLUMN task_detail.said_pass IS 'Whether a short circuit let what follows run.';

CREATE TABLE attempt (
    id               bigint PRIMARY KEY,
    run_id           bigint NOT NULL,
    task_no          integer NOT NULL,
    map_index        integer NOT NULL,
    number           integer NOT NULL,
    epoch            integer NOT NULL,
    result           text NOT NULL,
    worker           text,
    queued_at        timestamptz NOT NULL,
    started_at       timestamptz,
    ended_at         timestamptz NOT NULL,
    error_kind       text,
    message          text,
    help             text,
    retry_at         timestamptz
);
COMMENT ON TABLE attempt IS 'Attempts that are over. Rows never change.';
COMMENT ON COLUMN attempt.result IS 'success, failed, skipped, timed_out, lost, cancelled.';
COMMENT ON COLUMN attempt.epoch IS 'The launch epoch: attempts that share one share their remote job.';
CREATE INDEX attempt_of_task ON attempt (run_id, task_no, map_index);

CREATE TABLE output (
    attempt          bigint PRIMARY KEY,
    run_id           bigint NOT NULL,
    task_no          integer NOT NULL,
    map_index        integer NOT NULL,
    value            text NOT NULL,
    listed           boolean NOT NULL
);
COMMENT ON TABLE output IS 'What attempts returned. Rows never change.';
COMMENT ON COLUMN output.value IS 'JSON.';
COMMENT ON COLUMN output.listed IS 'Whether a mapped task is expanded over it.';
CREATE INDEX output_of_run ON output (run_id);

CREATE TABLE load (
    attempt          bigint NOT NULL,
    nth              integer NOT NULL,
    run_id           bigint NOT NULL,
    task_no          integer NOT NULL,
    map_index        integer NOT NULL,
    dag              text COLLATE "C" NOT NULL,
    started_at       timestamptz NOT NULL,
    ended_at         timestamptz NOT NULL,
    sources          text NOT NULL,
    files            bigint NOT NULL,
    bytes_read       bigint NOT NULL,
    rows_read        bigint NOT NULL,
    destination      text COLLATE "C" NOT NULL,
    "partition"      text,
    mode             text NOT NULL,
    rows_before      bigint,
    rows_loaded      bigint NOT NULL,
    rows_after       bigint,
    rows_rejected    bigint NOT NULL,
    job_id           text,
    job_url          text,
    slot_ms          bigint,
    bytes_billed     bigint,
    status           text NOT NULL,
    error            text,
    PRIMARY KEY (attempt, nth)
);
COMMENT ON TABLE load IS 'What was loaded where: the monitoring table. Written in the commit that ends the attempt.';
COMMENT ON COLUMN load.sources IS 'JSON list of where the data came from.';
COMMENT ON COLUMN load.mode IS 'append, truncate or merge.';
CREATE INDEX load_of_run ON load (run_id);
CREATE INDEX load_by_time ON load (ended_at, attempt, nth);
CREATE INDEX load_of_dag ON load (dag, ended_at, attempt, nth);
CREATE INDEX load_into ON load (destination, ended_at, attempt, nth);
CREATE INDEX load_failed ON load (ended_at, attempt, nth) WHERE status <> 'success';

CREATE TABLE cleanup (
    attempt          bigint PRIMARY KEY,
    run_id           bigint NOT NULL,
    task_no          integer NOT NULL,
    map_index        integer NOT NULL,
    hand             integer NOT NULL,
    number           integer NOT NULL,
    epoch            integer NOT NULL,
    handle           text,
    worker           text,
    since            timestamptz NOT NULL
);
COMMENT ON TABLE cleanup IS 'Attempts that were given up and may still hold something, until a worker says nothing is left.';
CREATE INDEX cleanup_of_run ON cleanup (run_id);

CREATE TABLE asset_event (
    id               bigint PRIMARY KEY,
    asset            text COLLATE "C" NOT NULL,
    by_run           bigint,
    by_task_no       integer,
    by_map_index     integer,
    changed_at       timestamptz NOT NULL
);
COMMENT ON TABLE asset_event IS 'Changes of assets. Nobody in by_run: it came from outside.';
CREATE INDEX asset_event_of_asset ON asset_event (asset, id);

CREATE TABLE asset_wait (
    dag              text COLLATE "C" NOT NULL,
    asset            text COLLATE "C" NOT NULL,
    first_event      bigint NOT NULL,
    last_event       bigint NOT NULL,
    changes          integer NOT NULL,
    PRIMARY KEY (dag, asset)
);
COMMENT ON TABLE asset_wait IS 'Changes of assets that a DAG has not used yet.';

CREATE TABLE outbox (
    id               bigint PRIMARY KEY,
    key              text COLLATE "C" NOT NULL,
    route            text NOT NULL,
    severity         text NOT NULL,
    run_id           bigint,
    body             text NOT NULL,
    decided_at       timestamptz NOT NULL,
    state            text NOT NULL DEFAULT 'pending',
    tries            integer NOT NULL DEFAULT 0,
    next_at          timestamptz NOT NULL,
    last_error       text,
    sent_at          timestamptz,
    CONSTRAINT outbox_key_unique UNIQUE (key)
) WITH (fillfactor = 80);
COMMENT ON TABLE outbox IS 'What the world outside is to be told: pending, sent, or dead after too many tries.';
COMMENT ON COLUMN outbox.key IS 'What it is about: the same is not told twice.';
COMMENT ON COLUMN outbox.next_at IS 'When the relay tries next. While it tries, this is the end of its lease.';
CREATE INDEX outbox_due ON outbox (next_at, id) WHERE state = 'pending';
CREATE INDEX outbox_of_run ON outbox (run_id) WHERE run_id IS NOT NULL;

CREATE TABLE pool (
    name             text COLLATE "C" PRIMARY KEY,
    slots            bigint,
    holds_deferred   boolean NOT NULL,
    paused           boolean NOT NULL,
    edits            integer NOT NULL,
    touched_by       text,
    touched_how      text,
    touched_at       timestamptz
);
COMMENT ON TABLE pool IS 'How much may run at once. No slots: any number.';

CREATE TABLE backfill (
    id               bigint PRIMARY KEY,
    dag              text COLLATE "C" NOT NULL,
    covers_from      timestamptz NOT NULL,
    covers_to        timestamptz NOT NULL,
    reprocess        text NOT NULL,
    active_runs_max  bigint NOT NULL,
    params           text NOT NULL,
    state            text NOT NULL,
    created_at       timestamptz NOT NULL,
    edits            integer NOT NULL,
    touched_by       text,
    touched_how      text,
    touched_at       timestamptz
);
COMMENT ON TABLE backfill IS 'Runs for past dates, asked for by a person: active, paused, done, cancelled.';
COMMENT ON COLUMN backfill.reprocess IS 'Which dates that have a run are run again: none, failed, completed.';
CREATE INDEX backfill_of_dag ON backfill (dag, id);
CREATE INDEX backfill_active ON backfill (id) WHERE state IN ('active', 'paused');

CREATE TABLE backfill_date (
    backfill         bigint NOT NULL REFERENCES backfill (id) ON DELETE CASCADE,
    nth              integer NOT NULL,
    interval_start   timestamptz NOT NULL,
    interval_end     timestamptz NOT NULL,
    state            text NOT NULL,
    run_id           bigint,
    why              text,
    PRIMARY KEY (backfill, interval_start)
);
COMMENT ON TABLE backfill_date IS 'The dates of a backfill: waiting, made, or left out and why.';
COMMENT ON COLUMN backfill_date.run_id IS 'Its run; while it waits, the run that is to be run again.';
CREATE INDEX backfill_date_of_run ON backfill_date (run_id) WHERE run_id IS NOT NULL;

CREATE TABLE skipped_tick (
    dag              text COLLATE "C" NOT NULL,
    interval_start   timestamptz NOT NULL,
    skipped_at       timestamptz NOT NULL,
    why              text NOT NULL,
    PRIMARY KEY (dag, interval_start)
);
COMMENT ON TABLE skipped_tick IS 'Ticks that made no run, by the DAG''s own policy.';

CREATE TABLE connection (
    name             text COLLATE "C" PRIMARY KEY,
    kind             text NOT NULL,
    fields           text NOT NULL,
    sealed           text NOT NULL,
    edits            integer NOT NULL,
    touched_by       text,
    touched_how      text,
    touched_at       timestamptz
);
COMMENT ON TABLE connection IS 'Where other systems are and how to get in.';
COMMENT ON COLUMN connection.fields IS 'What everybody may see; JSON.';
COMMENT ON COLUMN connection.sealed IS 'What nobody may see, encrypted: version, id of the key, text.';

CREATE TABLE variable (
    name             text COLLATE "C" PRIMARY KEY,
    sealed           text NOT NULL,
    note             text,
    edits            integer NOT NULL,
    touched_by       text,
    touched_how      text,
    touched_at       timestamptz
);
COMMENT ON TABLE variable IS 'Values that DAGs read by name.';
COMMENT ON COLUMN variable.sealed IS 'The value, encrypted: version, id of the key, text.';

CREATE TABLE audit (
    id               bigint PRIMARY KEY,
    done_at          timestamptz NOT NULL,
    actor            text NOT NULL,
    action           text NOT NULL,
    target           text NOT NULL,
    dag              text COLLATE "C",
    run_id           bigint,
    details          text NOT NULL
);
COMMENT ON TABLE audit IS 'What people did, and what they were refused. Rows never change.';
COMMENT ON COLUMN audit.details IS 'JSON.';
CREATE INDEX audit_of_dag ON audit (dag, id) WHERE dag IS NOT NULL;
CREATE INDEX audit_of_run ON audit (run_id, id) WHERE run_id IS NOT NULL;

-- A commit is one statement. This undoes it when a part of it did not find the rows that it was to find.
CREATE FUNCTION expect_rows(place text, wanted bigint, got bigint) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    IF got <> wanted THEN
        RAISE EXCEPTION USING
            ERRCODE = CASE place WHEN 'leader' THEN 'TM001' ELSE 'TM002' END,
            MESSAGE = format('%s: %s rows were to change, %s were there', place, wanted, got);
    END IF;
    RETURN got;
END;
$$;
