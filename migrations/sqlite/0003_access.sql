-- Who may come in and what they may do. The PostgreSQL file of the same number makes the same tables with the same columns.
--
-- These tables are written by whoever serves pages and by the command line, without the leader's term (ADR 16): people must
-- be able to sign in while no scheduler leads. Nothing in them is about runs. No password, no cookie and no token lies
-- here, only hashes of them.

-- One row: whoever changes what people may do writes it first, so such changes come one after the other.
CREATE TABLE access_turn (
    one              INTEGER PRIMARY KEY DEFAULT 1 CHECK (one = 1),
    -- The number of the last line of the audit log about access. They count down from -1, those of the leader count up.
    audit_last       INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
INSERT INTO access_turn DEFAULT VALUES;

-- People, and programs that act in a name of their own. Nobody is deleted: the audit log speaks of them.
CREATE TABLE user_account (
    name             TEXT PRIMARY KEY,
    display          TEXT NOT NULL,
    -- Argon2id with its parameters and salt; null for who signs in elsewhere.
    password         TEXT,
    -- Who this is elsewhere: issuer and subject of an OpenID token.
    sso              TEXT,
    -- viewer, operator, admin: what they may do to all DAGs.
    role             TEXT NOT NULL,
    disabled         INTEGER NOT NULL,
    -- Whether the password was given by somebody else and is to be changed first.
    must_change      INTEGER NOT NULL,
    created_at       INTEGER NOT NULL,
    signed_in_at     INTEGER,
    edits            INTEGER NOT NULL,
    touched_by       TEXT,
    touched_how      TEXT,
    touched_at       INTEGER,
    CONSTRAINT user_account_sso_unique UNIQUE (sso)
) STRICT, WITHOUT ROWID;

-- What people may do beyond their role to some DAGs.
CREATE TABLE dag_grant (
    user_name        TEXT NOT NULL REFERENCES user_account (name),
    -- The name of a DAG with * for any letters, or tag: and a tag.
    pattern          TEXT NOT NULL,
    role             TEXT NOT NULL,
    given_by         TEXT NOT NULL,
    given_at         INTEGER NOT NULL,
    PRIMARY KEY (user_name, pattern)
) STRICT, WITHOUT ROWID;

-- Browsers that are signed in.
CREATE TABLE session (
    -- SHA-256 of the secret in the cookie.
    hash             TEXT PRIMARY KEY,
    user_name        TEXT NOT NULL REFERENCES user_account (name),
    created_at       INTEGER NOT NULL,
    -- When it was last used; written at most once a minute.
    seen_at          INTEGER NOT NULL,
    -- When it ends if it is not used again; never beyond what a session may last at all.
    ends_at          INTEGER NOT NULL,
    address          TEXT NOT NULL,
    user_agent       TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX session_of_user ON session (user_name, created_at);
CREATE INDEX session_by_end ON session (ends_at);

-- What programs come in with, in the name of a user. Revoked ones stay, so that it is known whose they were.
CREATE TABLE api_token (
    id               TEXT PRIMARY KEY,
    -- SHA-256 of the token.
    hash             TEXT NOT NULL,
    name             TEXT NOT NULL,
    user_name        TEXT NOT NULL REFERENCES user_account (name),
    -- The most that it may do, however much its user may.
    role             TEXT NOT NULL,
    -- JSON list of patterns as in dag_grant: only these DAGs. An empty list: all.
    dags             TEXT NOT NULL,
    created_at       INTEGER NOT NULL,
    -- Null: it does not end by itself.
    ends_at          INTEGER,
    -- When it was last used; written at most once a minute.
    used_at          INTEGER,
    revoked_at       INTEGER,
    revoked_by       TEXT,
    CONSTRAINT api_token_hash_unique UNIQUE (hash)
) STRICT, WITHOUT ROWID;
CREATE INDEX api_token_of_user ON api_token (user_name, created_at);

-- How often somebody tried to sign in lately: by name, by address, by both.
CREATE TABLE login_attempt (
    subject          TEXT PRIMARY KEY,
    attempts         INTEGER NOT NULL,
    -- When the window began in which they are counted.
    since            INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX login_attempt_by_time ON login_attempt (since);

-- The whole audit log is read by time: lines about access and lines of the leader have numbers of their own.
CREATE INDEX audit_by_time ON audit (done_at, id);
