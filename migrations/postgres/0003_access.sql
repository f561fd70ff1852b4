-- Who may come in and what they may do. The SQLite file of the same number makes the same tables with the same columns.
--
-- These tables are written by whoever serves pages and by the command line, without the leader's term (ADR 16): people must
-- be able to sign in while no scheduler leads. Nothing in them is about runs. No password, no cookie and no token lies
-- here, only hashes of them.

CREATE TABLE access_turn (
    one              boolean PRIMARY KEY DEFAULT true CHECK (one),
    audit_last       bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 10);
COMMENT ON TABLE access_turn IS 'One row: whoever changes what people may do locks it first, so such changes come one after the other.';
COMMENT ON COLUMN access_turn.audit_last IS 'The number of the last line of the audit log about access. They count down from -1, those of the leader count up.';
INSERT INTO access_turn DEFAULT VALUES;

CREATE TABLE user_account (
    name             text COLLATE "C" PRIMARY KEY,
    display          text NOT NULL,
    password         text,
    sso              text COLLATE "C",
    role             text NOT NULL,
    disabled         boolean NOT NULL,
    must_change      boolean NOT NULL,
    created_at       timestamptz NOT NULL,
    signed_in_at     timestamptz,
    edits            integer NOT NULL,
    touched_by       text,
    touched_how      text,
    touched_at       timestamptz,
    CONSTRAINT user_account_sso_unique UNIQUE (sso)
);
COMMENT ON TABLE user_account IS 'People, and programs that act in a name of their own. Nobody is deleted: the audit log speaks of them.';
COMMENT ON COLUMN user_account.password IS 'Argon2id with its parameters and salt; null for who signs in elsewhere.';
COMMENT ON COLUMN user_account.sso IS 'Who this is elsewhere: issuer and subject of an OpenID token.';
COMMENT ON COLUMN user_account.role IS 'viewer, operator, admin: what they may do to all DAGs.';
COMMENT ON COLUMN user_account.must_change IS 'Whether the password was given by somebody else and is to be changed first.';

CREATE TABLE dag_grant (
    user_name        text COLLATE "C" NOT NULL REFERENCES user_account (name),
    pattern          text COLLATE "C" NOT NULL,
    role             text NOT NULL,
    given_by         text NOT NULL,
    given_at         timestamptz NOT NULL,
    PRIMARY KEY (user_name, pattern)
);
COMMENT ON TABLE dag_grant IS 'What people may do beyond their role to some DAGs.';
COMMENT ON COLUMN dag_grant.pattern IS 'The name of a DAG with * for any letters, or tag: and a tag.';

CREATE TABLE session (
    hash             text COLLATE "C" PRIMARY KEY,
    user_name        text COLLATE "C" NOT NULL REFERENCES user_account (name),
    created_at       timestamptz NOT NULL,
    seen_at          timestamptz NOT NULL,
    ends_at          timestamptz NOT NULL,
    address          text NOT NULL,
    user_agent       text NOT NULL
) WITH (fillfactor = 70);
COMMENT ON TABLE session IS 'Browsers that are signed in.';
COMMENT ON COLUMN session.hash IS 'SHA-256 of the secret in the cookie.';
COMMENT ON COLUMN session.seen_at IS 'When it was last used; written at most once a minute.';
COMMENT ON COLUMN session.ends_at IS 'When it ends if it is not used again; never beyond what a session may last at all.';
CREATE INDEX session_of_user ON session (user_name, created_at);
CREATE INDEX session_by_end ON session (ends_at);

CREATE TABLE api_token (
    id               text COLLATE "C" PRIMARY KEY,
    hash             text COLLATE "C" NOT NULL,
    name             text NOT NULL,
    user_name        text COLLATE "C" NOT NULL REFERENCES user_account (name),
    role             text NOT NULL,
    dags             text NOT NULL,
    created_at       timestamptz NOT NULL,
    ends_at          timestamptz,
    used_at          timestamptz,
    revoked_at       timestamptz,
    revoked_by       text,
    CONSTRAINT api_token_hash_unique UNIQUE (hash)
) WITH (fillfactor = 70);
COMMENT ON TABLE api_token IS 'What programs come in with, in the name of a user. Revoked ones stay, so that it is known whose they were.';
COMMENT ON COLUMN api_token.hash IS 'SHA-256 of the token.';
COMMENT ON COLUMN api_token.role IS 'The most that it may do, however much its user may.';
COMMENT ON COLUMN api_token.dags IS 'JSON list of patterns as in dag_grant: only these DAGs. An empty list: all.';
COMMENT ON COLUMN api_token.ends_at IS 'Null: it does not end by itself.';
COMMENT ON COLUMN api_token.used_at IS 'When it was last used; written at most once a minute.';
CREATE INDEX api_token_of_user ON api_token (user_name, created_at);

CREATE TABLE login_attempt (
    subject          text COLLATE "C" PRIMARY KEY,
    attempts         bigint NOT NULL,
    since            timestamptz NOT NULL
) WITH (fillfactor = 70);
COMMENT ON TABLE login_attempt IS 'How often somebody tried to sign in lately: by name, by address, by both.';
COMMENT ON COLUMN login_attempt.since IS 'When the window began in which they are counted.';
CREATE INDEX login_attempt_by_time ON login_attempt (since);

-- The whole audit log is read by time: lines about access and lines of the leader have numbers of their own.
CREATE INDEX audit_by_time ON audit (done_at, id);
