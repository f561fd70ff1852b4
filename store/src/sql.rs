//! Every statement there is, by name. Nothing else in Tidemill is SQL, and a test prepares all of these on both databases.

/// A statement, in the words of either database.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Sql {
    /// Its name, which is that of its file.
    pub(crate) name: &'static str,
    /// For PostgreSQL.
    pub(crate) postgres: &'static str,
    /// For SQLite.
    pub(crate) sqlite: &'static str,
}

macro_rules! statements {
    (
        one text for both: { $($both:ident = $both_folder:literal / $both_file:literal,)* }
        one text for each: { $($each:ident = $each_folder:literal / $each_file:literal,)* }
    ) => {
        $(
            pub(crate) static $both: Sql = Sql {
                name: $both_file,
                postgres: include_str!(concat!("../sql/both/", $both_folder, "/", $both_file, ".sql")),
                sqlite: include_str!(concat!("../sql/both/", $both_folder, "/", $both_file, ".sql")),
            };
        )*
        $(
            pub(crate) static $each: Sql = Sql {
                name: $each_file,
                postgres: include_str!(concat!("../sql/postgres/", $each_folder, "/", $each_file, ".sql")),
                sqlite: include_str!(concat!("../sql/sqlite/", $each_folder, "/", $each_file, ".sql")),
            };
        )*

        /// All of them.
        pub(crate) static ALL: &[&Sql] = &[$(&$both,)* $(&$each,)*];
    };
}

statements! {
    one text for both: {
        ACCESS_AUDIT = "access" / "access_audit",
        ACCESS_BOUND = "access" / "access_bound",
        ACCESS_LAST = "access" / "access_last",
        ACCESS_TURN = "access" / "access_turn",
        ATTEMPT_BACK = "access" / "attempt_back",
        ATTEMPT_COUNT = "access" / "attempt_count",
        ATTEMPT_FORGET = "access" / "attempt_forget",
        GRANT_DROP = "access" / "grant_drop",
        GRANT_PUT = "access" / "grant_put",
        GRANTS = "access" / "grants",
        GRANTS_OF_USER = "access" / "grants_of_user",
        IF_ADMIN_LEFT = "access" / "if_admin_left",
        IF_NO_USERS = "access" / "if_no_users",
        SESSION_ADD = "access" / "session_add",
        SESSION_END = "access" / "session_end",
        SESSION_LIVE = "access" / "session_live",
        SESSION_TOUCH = "access" / "session_touch",
        SESSIONS_END = "access" / "sessions_end",
        SESSIONS_OF_USER = "access" / "sessions_of_user",
        TOKEN_ADD = "access" / "token_add",
        TOKEN_LIVE = "access" / "token_live",
        TOKEN_OF_ID = "access" / "token_of_id",
        TOKEN_REVOKE = "access" / "token_revoke",
        TOKEN_TOUCH = "access" / "token_touch",
        TOKENS = "access" / "tokens",
        TOKENS_OF_USER = "access" / "tokens_of_user",
        USER_ADD = "access" / "user_add",
        USER_CHANGE = "access" / "user_change",
        USER_NAMED = "access" / "user_named",
        USER_OF_SSO = "access" / "user_of_sso",
        USER_PASSWORD = "access" / "user_password",
        USER_REHASH = "access" / "user_rehash",
        USER_SIGNED_IN = "access" / "user_signed_in",
        USERS = "access" / "users",

        AUDIT_CHAINS = "audit" / "audit_chains",
        AUDIT_DOWNWARDS = "audit" / "audit_downwards",
        AUDIT_UPWARDS = "audit" / "audit_upwards",

        ACCESS_ROLE = "check" / "access_role",
        ACCESS_TURN_ROW = "check" / "access_turn_row",
        ADMIN_MISSING = "check" / "admin_missing",
        ATTEMPT_AHEAD = "check" / "attempt_ahead",
        ATTEMPT_WITHOUT_TASK = "check" / "attempt_without_task",
        CLEANUP_WITHOUT_TASK = "check" / "cleanup_without_task",
        DAG_WITHOUT_VERSION = "check" / "dag_without_version",
        DATE_TWICE = "check" / "date_twice",
        DATE_WITHOUT_RUN = "check" / "date_without_run",
        DISABLED_SESSION = "check" / "disabled_session",
        ENDED_AHEAD = "check" / "ended_ahead",
        ENDED_RUN_OPEN_TASK = "check" / "ended_run_open_task",
        ENDED_UNRECORDED = "check" / "ended_unrecorded",
        LEADER_ROW = "check" / "leader_row",
        MAPPED_WITHOUT_WHOLE = "check" / "mapped_without_whole",
        NUMBER_BEYOND = "check" / "number_beyond",
        OPEN_RUN_ENDED_TASKS = "check" / "open_run_ended_tasks",
        OUTBOX_STATE = "check" / "outbox_state",
        OUTBOX_TWICE = "check" / "outbox_twice",
        OUTPUT_WITHOUT_TASK = "check" / "output_without_task",
        RUN_WITHOUT_DAG = "check" / "run_without_dag",
        RUN_WITHOUT_DATE = "check" / "run_without_date",
        RUN_WITHOUT_TASK = "check" / "run_without_task",
        RUN_WITHOUT_VERSION = "check" / "run_without_version",
        SECRET_IN_CLEAR = "check" / "secret_in_clear",
        TASK_DETAIL_WITHOUT_TASK = "check" / "task_detail_without_task",
        TASK_WITHOUT_RUN = "check" / "task_without_run",

        CLEAN_OLD_ASSET_EVENT = "clean" / "clean_old_asset_event",
        AUDIT_OLDEST_DOWNWARDS = "clean" / "audit_oldest_downwards",
        AUDIT_OLDEST_UPWARDS = "clean" / "audit_oldest_upwards",
        AUDIT_START_MOVE = "clean" / "audit_start_move",
        CLEAN_OLD_AUDIT = "clean" / "clean_old_audit",
        CLEAN_OLD_BACKFILL = "clean" / "clean_old_backfill",
        CLEAN_OLD_LOGIN_ATTEMPT = "clean" / "clean_old_login_attempt",
        CLEAN_OLD_OUTBOX = "clean" / "clean_old_outbox",
        CLEAN_OLD_SESSION = "clean" / "clean_old_session",
        CLEAN_OLD_SKIPPED_TICK = "clean" / "clean_old_skipped_tick",
        CLEAN_PICK = "clean" / "clean_pick",
        COUNT_OLD_ASSET_EVENT = "clean" / "count_old_asset_event",
        COUNT_OLD_AUDIT = "clean" / "count_old_audit",
        COUNT_OLD_BACKFILL = "clean" / "count_old_backfill",
        COUNT_OLD_LOGIN_ATTEMPT = "clean" / "count_old_login_attempt",
        COUNT_OLD_OUTBOX = "clean" / "count_old_outbox",
        COUNT_OLD_SESSION = "clean" / "count_old_session",
        COUNT_OLD_SKIPPED_TICK = "clean" / "count_old_skipped_tick",
        LOG_LEFT_DROP = "clean" / "log_left_drop",
        LOGS_LEFT = "clean" / "logs_left",

        DATED_RUN_BEFORE = "find" / "dated_run_before",
        DATES_TAKEN_OF = "find" / "dates_taken_of",
        RUN_BEFORE = "find" / "run_before",
        RUN_HEADS = "find" / "run_heads",
        RUN_NAMED = "find" / "run_named",
        RUN_NUMBERS = "find" / "run_numbers",
        RUN_NUMBERS_FAILED = "find" / "run_numbers_failed",
        RUN_NUMBERS_OF_DAG = "find" / "run_numbers_of_dag",
        VERSION_OF_DAG = "find" / "version_of_dag",
        VERSIONS_OF_DAG = "find" / "versions_of_dag",

        ASSET_EVENTS = "history" / "asset_events",
        ATTEMPTS_OF_RUN = "history" / "attempts_of_run",
        ATTEMPTS_OF_TASK = "history" / "attempts_of_task",
        AUDITS_ALL = "history" / "audits_all",
        AUDITS_LAST = "history" / "audits_last",
        AUDITS_LIKE = "history" / "audits_like",
        AUDITS_OF_DAG = "history" / "audits_of_dag",
        AUDITS_OF_RUN = "history" / "audits_of_run",
        BACKFILLS_ALL = "history" / "backfills_all",
        DATES_COUNTED = "history" / "dates_counted",
        DATES_OF_BACKFILL = "history" / "dates_of_backfill",
        RUNS_OF_DATES = "history" / "runs_of_dates",
        FAILURES = "history" / "failures",
        INSTANCE_STATES = "history" / "instance_states",
        LOADS_ALL = "history" / "loads_all",
        LOADS_FAILED = "history" / "loads_failed",
        LOADS_BY_JOB = "history" / "loads_by_job",
        LOADS_INTO = "history" / "loads_into",
        LOADS_OF_DAG = "history" / "loads_of_dag",
        LOADS_OF_RUN = "history" / "loads_of_run",
        RUNS_ACTIVE = "history" / "runs_active",
        RUNS_ALL = "history" / "runs_all",
        RUNS_FAILED = "history" / "runs_failed",
        RUNS_OF_DAG = "history" / "runs_of_dag",
        SEARCH_RUNS = "history" / "search_runs",
        SKIPPED_TICKS = "history" / "skipped_ticks",
        TASK_DETAIL_OF = "history" / "task_detail_of",
        TASK_INSTANCES = "history" / "task_instances",
        TASK_NAMED = "history" / "task_named",
        TASK_PAST = "history" / "task_past",
        TASKS_OF_RUN = "history" / "tasks_of_run",
        TRIES_OF_RUN = "history" / "tries_of_run",
        VERSION_USES = "history" / "version_uses",

        LEADER_RESIGN = "lead" / "leader_resign",

        DAG_MARKS = "live" / "dag_marks",
        PULSE = "live" / "pulse",

        BATCHES = "measure" / "batches",
        COMMIT_ONE = "measure" / "commit_one",

        OUTBOX_AGAIN = "outbox" / "outbox_again",
        OUTBOX_ALL = "outbox" / "outbox_all",
        OUTBOX_DEAD = "outbox" / "outbox_dead",
        OUTBOX_LATER = "outbox" / "outbox_later",
        OUTBOX_OF_RUN = "outbox" / "outbox_of_run",
        OUTBOX_SENT = "outbox" / "outbox_sent",

        ACTIVE_RUNS = "recover" / "active_runs",
        ASSET_WAITS = "recover" / "asset_waits",
        BACKFILL_DATES = "recover" / "backfill_dates",
        BACKFILLS = "recover" / "backfills",
        CLEANUPS = "recover" / "cleanups",
        CONNECTION_HEADS = "recover" / "connection_heads",
        DAGS = "recover" / "dags",
        DATES_TAKEN = "recover" / "dates_taken",
        HIGHEST = "recover" / "highest",
        POOLS = "recover" / "pools",
        TASK_NAMES = "recover" / "task_names",
        VARIABLE_HEADS = "recover" / "variable_heads",

        SCHEMA_STEPS = "schema" / "schema_steps",

        CONNECTION_NAMED = "secret" / "connection_named",
        CONNECTION_NAMES = "secret" / "connection_names",
        CONNECTIONS = "secret" / "connections",
        VARIABLE_NAMED = "secret" / "variable_named",
        VARIABLE_NAMES = "secret" / "variable_names",
        VARIABLES = "secret" / "variables",
    }
    one text for each: {
        CLEAN_ATTEMPT = "clean" / "clean_attempt",
        CLEAN_COUNT = "clean" / "clean_count",
        CLEAN_LOAD = "clean" / "clean_load",
        CLEAN_OUTPUT = "clean" / "clean_output",
        CLEAN_RUN = "clean" / "clean_run",
        CLEAN_TASK = "clean" / "clean_task",
        CLEAN_TASK_DETAIL = "clean" / "clean_task_detail",
        LOG_LEFT_ADD = "clean" / "log_left_add",
        LOG_LEFT_KEEP = "clean" / "log_left_keep",

        OUTPUTS = "find" / "outputs",

        COMMIT_PROBE = "health" / "commit_probe",
        HEALTH = "health" / "health",

        GRID_CELLS = "history" / "grid_cells",
        NOTED = "history" / "noted",
        RECENT_RUNS = "history" / "recent_runs",
        RUN_DAYS = "history" / "run_days",
        SEARCH_DAGS = "history" / "search_dags",
        WHOLE_TASKS = "history" / "whole_tasks",

        LEADER_HOLDER = "lead" / "leader_holder",
        LEADER_READ = "lead" / "leader_read",
        LEADER_RENEW = "lead" / "leader_renew",
        LEADER_STEP = "lead" / "leader_step",
        LEADER_TAKE = "lead" / "leader_take",

        RUN_MARKS = "live" / "run_marks",
        TASK_MARKS = "live" / "task_marks",

        DURABILITY = "measure" / "durability",
        LOG_BYTES = "measure" / "log_bytes",

        OUTBOX_DUE = "outbox" / "outbox_due",

        LISTED_OUTPUTS = "recover" / "listed_outputs",
        RUNS = "recover" / "runs",
        TASK_DETAILS = "recover" / "task_details",
        TASKS = "recover" / "tasks",
        VERSIONS = "recover" / "versions",
        VERSIONS_OF_RUNS = "recover" / "versions_of_runs",

        SCHEMA_DONE = "schema" / "schema_done",
        SCHEMA_TABLES = "schema" / "schema_tables",

        ASSET_EVENT_ADD = "write" / "asset_event_add",
        ASSET_WAIT_DROP = "write" / "asset_wait_drop",
        ASSET_WAIT_PUT = "write" / "asset_wait_put",
        ATTEMPT_ADD = "write" / "attempt_add",
        AUDIT_ADD = "write" / "audit_add",
        BACKFILL_DATE_PUT = "write" / "backfill_date_put",
        BACKFILL_PUT = "write" / "backfill_put",
        CLEANUP_DROP = "write" / "cleanup_drop",
        CLEANUP_PUT = "write" / "cleanup_put",
        CONNECTION_DROP = "write" / "connection_drop",
        CONNECTION_PUT = "write" / "connection_put",
        DAG_PUT = "write" / "dag_put",
        LOAD_ADD = "write" / "load_add",
        OUTBOX_ADD = "write" / "outbox_add",
        OUTPUT_ADD = "write" / "output_add",
        POOL_DROP = "write" / "pool_drop",
        POOL_PUT = "write" / "pool_put",
        RUN_ADD = "write" / "run_add",
        RUN_PUT = "write" / "run_put",
        SKIPPED_TICK_ADD = "write" / "skipped_tick_add",
        TASK_ADD = "write" / "task_add",
        TASK_DETAIL_PUT = "write" / "task_detail_put",
        TASK_NAME_ADD = "write" / "task_name_add",
        TASK_PUT = "write" / "task_put",
        VARIABLE_DROP = "write" / "variable_drop",
        VARIABLE_PUT = "write" / "variable_put",
        VERSION_ADD = "write" / "version_add",
    }
}
