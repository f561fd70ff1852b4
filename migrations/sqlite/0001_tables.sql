-- Everything that Tidemill keeps. The PostgreSQL file of the same number makes the same tables with the same columns.
--
-- Times are microseconds since 1970 in UTC: `datetime(since / 1000000, 'unixepoch')` shows one. Truth is 1, untruth 0.
-- States are words. What is JSON is kept as text, as it was written; to query it: `params ->> 'day'`.

-- One row: which scheduler leads. Every commit names the term and the batch it expects here.
CREATE TABLE leader (
    one              INTEGER PRIMARY KEY DEFAULT 1 CHECK (one = 1),
    -- Grows whenever somebody takes the lead.
    term             INTEGER NOT NULL DEFAULT 0,
    -- The last batch of this term that was committed.
    batch            INTEGER NOT NULL DEFAULT 0,
    holder           TEXT,
    -- By the clock of the database. After it somebody else may lead.
    lease_until      INTEGER,
    -- The highest number ever given to a run; it stays when the run is cleaned away.
    run_max          INTEGER NOT NULL DEFAULT 0,
    attempt_max      INTEGER NOT NULL DEFAULT 0,
    backfill_max     INTEGER NOT NULL DEFAULT 0,
    asset_event_max  INTEGER NOT NULL DEFAULT 0,
    outbox_max       INTEGER NOT NULL DEFAULT 0,
    audit_max        INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
INSERT INTO leader DEFAULT VALUES;

-- The DAGs, those that were removed included.
CREATE TABLE dag (
    id               TEXT PRIMARY KEY,
    -- What new runs take; null once the DAG was removed.
    version          TEXT,
    paused           INTEGER NOT NULL,
    last_start       INTEGER,
    last_end         INTEGER,
    -- When the last run was due that the timetable made or skipped.
    last_due         INTEGER,
    failures_in_row  INTEGER NOT NULL,
    edits            INTEGER NOT NULL,
    touched_by       TEXT,
    touched_how      TEXT,
    touched_at       INTEGER
) STRICT, WITHOUT ROWID;

-- What a DAG was, version by version. Rows never change.
CREATE TABLE dag_version (
    dag              TEXT NOT NULL,
    version          TEXT NOT NULL,
    -- JSON.
    spec             TEXT NOT NULL,
    deployed_at      INTEGER NOT NULL,
    PRIMARY KEY (dag, version)
) STRICT, WITHOUT ROWID;

-- The numbers of a DAG's tasks, the same over all its versions.
CREATE TABLE dag_task (
    dag              TEXT NOT NULL,
    task_no          INTEGER NOT NULL,
    name             TEXT NOT NULL,
    PRIMARY KEY (dag, task_no),
    UNIQUE (dag, name)
) STRICT, WITHOUT ROWID;

-- Runs of DAGs: queued, running, success, failed, cancelled.
CREATE TABLE run (
    id               INTEGER PRIMARY KEY,
    dag              TEXT NOT NULL,
    name             TEXT NOT NULL,
    -- How it came about: scheduled, manual, backfill, asset.
    kind             TEXT NOT NULL,
    state            TEXT NOT NULL,
    version          TEXT NOT NULL,
    -- The start of what it covers; {ds} is its date.
    interval_start   INTEGER NOT NULL,
    interval_end     INTEGER NOT NULL,
    due_at           INTEGER NOT NULL,
    created_at       INTEGER NOT NULL,
    started_at       INTEGER,
    ended_at         INTEGER,
    -- JSON.
    params           TEXT NOT NULL,
    backfill         INTEGER,
    paused           INTEGER NOT NULL,
    priority         INTEGER NOT NULL,
    pool             TEXT,
    ending           TEXT,
    quarantine       TEXT,
    why              TEXT,
    note             TEXT,
    -- Grows with every end and every change by a person.
    edits            INTEGER NOT NULL,
    touched_by       TEXT,
    touched_how      TEXT,
    touched_at       INTEGER,
    CONSTRAINT run_name_unique UNIQUE (dag, name)
) STRICT;
-- A date has one run. Runs by hand and by assets may share one.
CREATE UNIQUE INDEX run_date_unique ON run (dag, interval_start) WHERE kind IN ('scheduled', 'backfill');
CREATE INDEX run_of_dag ON run (dag, interval_start, id);
CREATE INDEX run_active ON run (id) WHERE state IN ('queued', 'running');
CREATE INDEX run_failed ON run (id) WHERE state IN ('failed', 'cancelled');
CREATE INDEX run_of_backfill ON run (backfill) WHERE backfill IS NOT NULL;

-- Task instances as they stand. What happened to them is in attempt.
-- Clustered by its key: the tasks of a run lie on the same few pages, and a change writes nothing else.
CREATE TABLE task (
    run_id           INTEGER NOT NULL,
    task_no          INTEGER NOT NULL,
    -- -1 for a task that is not mapped, and for a mapped task as a whole.
    map_index        INTEGER NOT NULL,
    name             TEXT NOT NULL,
    state            TEXT NOT NULL,
    -- The current attempt, or the last; 0 before the first.
    attempt          INTEGER NOT NULL,
    hand             INTEGER NOT NULL,
    ended_attempt    INTEGER NOT NULL,
    -- The number of that attempt within the task, for people.
    number           INTEGER NOT NULL,
    tries            INTEGER NOT NULL,
    losses           INTEGER NOT NULL,
    requeues         INTEGER NOT NULL,
    epoch            INTEGER NOT NULL,
    edits            INTEGER NOT NULL,
    worker           TEXT,
    -- When it came into its state.
    since            INTEGER NOT NULL,
    queued_at        INTEGER,
    started_at       INTEGER,
    retry_at         INTEGER,
    deadline         INTEGER,
    instances        INTEGER,
    PRIMARY KEY (run_id, task_no, map_index)
) STRICT, WITHOUT ROWID;

-- What only some task instances have.
CREATE TABLE task_detail (
    run_id           INTEGER NOT NULL,
    task_no          INTEGER NOT NULL,
    map_index        INTEGER NOT NULL,
    -- What its attempt waits for outside; JSON.
    handle           TEXT,
    why              TEXT,
    -- What it is mapped over; JSON.
    item             TEXT,
    -- The ways that a branch chose; JSON.
    said_ways        TEXT,
    -- Whether a short circuit let what follows run.
    said_pass        INTEGER,
    note             TEXT,
    touched_by       TEXT,
    touched_how      TEXT,
    touched_at       INTEGER,
    PRIMARY KEY (run_id, task_no, map_index)
) STRICT, WITHOUT ROWID;

-- Attempts that are over. Rows never change.
CREATE TABLE attempt (
    id               INTEGER PRIMARY KEY,
    run_id           INTEGER NOT NULL,
    task_no          INTEGER NOT NULL,
    map_index        INTEGER NOT NULL,
    number           INTEGER NOT NULL,
    -- The launch epoch: attempts that share one share their remote job.
    epoch            INTEGER NOT NULL,
    -- success, failed, skipped, timed_out, lost, cancelled.
    result           TEXT NOT NULL,
    worker           TEXT,
    queued_at        INTEGER NOT NULL,
    started_at       INTEGER,
    ended_at         INTEGER NOT NULL,
    error_kind       TEXT,
    message          TEXT,
    help             TEXT,
    retry_at         INTEGER
) STRICT;
CREATE INDEX attempt_of_task ON attempt (run_id, task_no, map_index);

-- What attempts returned. Rows never change.
CREATE TABLE output (
    attempt          INTEGER PRIMARY KEY,
    run_id           INTEGER NOT NULL,
    task_no          INTEGER NOT NULL,
    map_index        INTEGER NOT NULL,
    -- JSON.
    value            TEXT NOT NULL,
    -- Whether a mapped task is expanded over it.
    listed           INTEGER NOT NULL
) STRICT;
CREATE INDEX output_of_run ON output (run_id);

-- What was loaded where: the monitoring table. Written in the commit that ends the attempt.
CREATE TABLE load (
    attempt          INTEGER NOT NULL,
    nth              INTEGER NOT NULL,
    run_id           INTEGER NOT NULL,
    task_no          INTEGER NOT NULL,
    map_index        INTEGER NOT NULL,
    dag              TEXT NOT NULL,
    started_at       INTEGER NOT NULL,
    ended_at         INTEGER NOT NULL,
    -- JSON list of where the data came from.
    sources          TEXT NOT NULL,
    files            INTEGER NOT NULL,
    bytes_read       INTEGER NOT NULL,
    rows_read        INTEGER NOT NULL,
    destination      TEXT NOT NULL,
    "partition"      TEXT,
    -- append, truncate or merge.
    mode             TEXT NOT NULL,
    rows_before      INTEGER,
    rows_loaded      INTEGER NOT NULL,
    rows_after       INTEGER,
    rows_rejected    INTEGER NOT NULL,
    job_id           TEXT,
    job_url          TEXT,
    slot_ms          INTEGER,
    bytes_billed     INTEGER,
    status           TEXT NOT NULL,
    error            TEXT,
    PRIMARY KEY (attempt, nth)
) STRICT;
CREATE INDEX load_of_run ON load (run_id);
CREATE INDEX load_by_time ON load (ended_at, attempt, nth);
CREATE INDEX load_of_dag ON load (dag, ended_at, attempt, nth);
CREATE INDEX load_into ON load (destination, ended_at, attempt, nth);
CREATE INDEX load_failed ON load (ended_at, attempt, nth) WHERE status <> 'success';

-- Attempts that were given up and may still hold something, until a worker says nothing is left.
CREATE TABLE cleanup (
    attempt          INTEGER PRIMARY KEY,
    run_id           INTEGER NOT NULL,
    task_no          INTEGER NOT NULL,
    map_index        INTEGER NOT NULL,
    hand             INTEGER NOT NULL,
    number           INTEGER NOT NULL,
    epoch            INTEGER NOT NULL,
    handle           TEXT,
    worker           TEXT,
    since            INTEGER NOT NULL
) STRICT;
CREATE INDEX cleanup_of_run ON cleanup (run_id);

-- Changes of assets. Nobody in by_run: it came from outside.
CREATE TABLE asset_event (
    id               INTEGER PRIMARY KEY,
    asset            TEXT NOT NULL,
    by_run           INTEGER,
    by_task_no       INTEGER,
    by_map_index     INTEGER,
    changed_at       INTEGER NOT NULL
) STRICT;
CREATE INDEX asset_event_of_asset ON asset_event (asset, id);

-- Changes of assets that a DAG has not used yet.
CREATE TABLE asset_wait (
    dag              TEXT NOT NULL,
    asset            TEXT NOT NULL,
    first_event      INTEGER NOT NULL,
    last_event       INTEGER NOT NULL,
    changes          INTEGER NOT NULL,
    PRIMARY KEY (dag, asset)
) STRICT, WITHOUT ROWID;

-- What the world outside is to be told: pending, sent, or dead after too many tries.
CREATE TABLE outbox (
    id               INTEGER PRIMARY KEY,
    -- What it is about: the same is not told twice.
    key              TEXT NOT NULL,
    route            TEXT NOT NULL,
    severity         TEXT NOT NULL,
    run_id           INTEGER,
    body             TEXT NOT NULL,
    decided_at       INTEGER NOT NULL,
    state            TEXT NOT NULL DEFAULT 'pending',
    tries            INTEGER NOT NULL DEFAULT 0,
    -- When the relay tries next. While it tries, this is the end of its lease.
    next_at          INTEGER NOT NULL,
    last_error       TEXT,
    sent_at          INTEGER,
    CONSTRAINT outbox_key_unique UNIQUE (key)
) STRICT;
CREATE INDEX outbox_due ON outbox (next_at, id) WHERE state = 'pending';
CREATE INDEX outbox_of_run ON outbox (run_id) WHERE run_id IS NOT NULL;

-- How much may run at once. No slots: any number.
CREATE TABLE pool (
    name             TEXT PRIMARY KEY,
    slots            INTEGER,
    holds_deferred   INTEGER NOT NULL,
    paused           INTEGER NOT NULL,
    edits            INTEGER NOT NULL,
    touched_by       TEXT,
    touched_how      TEXT,
    touched_at       INTEGER
) STRICT, WITHOUT ROWID;

-- Runs for past dates, asked for by a person: active, paused, done, cancelled.
CREATE TABLE backfill (
    id               INTEGER PRIMARY KEY,
    dag              TEXT NOT NULL,
    covers_from      INTEGER NOT NULL,
    covers_to        INTEGER NOT NULL,
    -- Which dates that have a run are run again: none, failed, completed.
    reprocess        TEXT NOT NULL,
    active_runs_max  INTEGER NOT NULL,
    params           TEXT NOT NULL,
    state            TEXT NOT NULL,
    created_at       INTEGER NOT NULL,
    edits            INTEGER NOT NULL,
    touched_by       TEXT,
    touched_how      TEXT,
    touched_at       INTEGER
) STRICT;
CREATE INDEX backfill_of_dag ON backfill (dag, id);
CREATE INDEX backfill_active ON backfill (id) WHERE state IN ('active', 'paused');

-- The dates of a backfill: waiting, made, or left out and why.
CREATE TABLE backfill_date (
    backfill         INTEGER NOT NULL REFERENCES backfill (id) ON DELETE CASCADE,
    nth              INTEGER NOT NULL,
    interval_start   INTEGER NOT NULL,
    interval_end     INTEGER NOT NULL,
    state            TEXT NOT NULL,
    -- Its run; while it waits, the run that is to be run again.
    run_id           INTEGER,
    why              TEXT,
    PRIMARY KEY (backfill, interval_start)
) STRICT, WITHOUT ROWID;
CREATE INDEX backfill_date_of_run ON backfill_date (run_id) WHERE run_id IS NOT NULL;

-- Ticks that made no run, by the DAG's own policy.
CREATE TABLE skipped_tick (
    dag              TEXT NOT NULL,
    interval_start   INTEGER NOT NULL,
    skipped_at       INTEGER NOT NULL,
    why              TEXT NOT NULL,
    PRIMARY KEY (dag, interval_start)
) STRICT, WITHOUT ROWID;

-- Where other systems are and how to get in.
CREATE TABLE connection (
    name             TEXT PRIMARY KEY,
    kind             TEXT NOT NULL,
    -- What everybody may see; JSON.
    fields           TEXT NOT NULL,
    -- What nobody may see, encrypted: version, id of the key, text.
    sealed           TEXT NOT NULL,
    edits            INTEGER NOT NULL,
    touched_by       TEXT,
    touched_how      TEXT,
    touched_at       INTEGER
) STRICT, WITHOUT ROWID;

-- Values that DAGs read by name.
CREATE TABLE variable (
    name             TEXT PRIMARY KEY,
    -- The value, encrypted: version, id of the key, text.
    sealed           TEXT NOT NULL,
    note             TEXT,
    edits            INTEGER NOT NULL,
    touched_by       TEXT,
    touched_how      TEXT,
    touched_at       INTEGER
) STRICT, WITHOUT ROWID;

-- What people did, and what they were refused. Rows never change.
CREATE TABLE audit (
    id               INTEGER PRIMARY KEY,
    done_at          INTEGER NOT NULL,
    actor            TEXT NOT NULL,
    action           TEXT NOT NULL,
    target           TEXT NOT NULL,
    dag              TEXT,
    run_id           INTEGER,
    -- JSON.
    details          TEXT NOT NULL
) STRICT;
CREATE INDEX audit_of_dag ON audit (dag, id) WHERE dag IS NOT NULL;
CREATE INDEX audit_of_run ON audit (run_id, id) WHERE run_id IS NOT NULL;
