//! No page and no verb reads a whole table: the databases say themselves how they would go about it.

use crate::big;
use crate::place::Place;

const RUNS: u32 = 2_000;

macro_rules! statement {
    ($file:literal) => {
        (
            $file,
            include_str!(concat!("../../sql/both/", $file, ".sql")),
            include_str!(concat!("../../sql/both/", $file, ".sql")),
        )
    };
    (each $file:literal) => {
        (
            $file,
            include_str!(concat!("../../sql/postgres/", $file, ".sql")),
            include_str!(concat!("../../sql/sqlite/", $file, ".sql")),
        )
    };
}

/// A statement in both tongues, and what is put into it. `@…` is a time, `#…` a list.
type Asked = (
    (&'static str, &'static str, &'static str),
    &'static [&'static str],
);

const EVER: [&str; 2] = ["@0", "@9000000000"];

#[expect(
    clippy::too_many_lines,
    reason = "a table of statements and their arguments"
)]
fn asked() -> Vec<Asked> {
    vec![
        (
            statement!("history/runs_of_dag"),
            &[
                "'dag_3'",
                "@9000000000",
                "9000000",
                EVER[0],
                EVER[1],
                "NULL",
                "NULL",
                "NULL",
                "NULL",
                "25",
            ],
        ),
        (
            statement!("history/runs_of_dag"),
            &[
                "'dag_3'",
                "@1700001000",
                "50",
                EVER[0],
                EVER[1],
                "'failed'",
                "NULL",
                "'x'",
                "NULL",
                "25",
            ],
        ),
        (
            statement!("history/runs_all"),
            &[
                "9000000", EVER[0], EVER[1], "NULL", "NULL", "NULL", "NULL", "25",
            ],
        ),
        (
            statement!("history/runs_active"),
            &[
                "9000000",
                EVER[0],
                EVER[1],
                "'running'",
                "NULL",
                "NULL",
                "NULL",
                "25",
            ],
        ),
        (
            statement!("history/runs_failed"),
            &[
                "9000000", EVER[0], EVER[1], "'failed'", "NULL", "NULL", "NULL", "25",
            ],
        ),
        (statement!("history/attempts_of_task"), &["77", "3", "-1"]),
        (
            statement!("history/attempts_of_run"),
            &["77", "3", "-1", "0", "25"],
        ),
        (
            statement!("history/tries_of_run"),
            &["77", "3", "-1", "0", "25"],
        ),
        (
            statement!("history/tasks_of_run"),
            &["77", "0", "-2147483648", "2147483647", "-1", "25"],
        ),
        (
            statement!("history/task_past"),
            &["'dag_3'", "@9000000000", "9000000", "25", "3", "-1"],
        ),
        (
            statement!("history/task_named"),
            &["77", "'dag_3'", "'task_3'", "-1"],
        ),
        (statement!("history/task_detail_of"), &["77", "3", "-1"]),
        (
            statement!("history/task_instances"),
            &["77", "3", "-1", "25"],
        ),
        (statement!("history/instance_states"), &["77", "3"]),
        (
            statement!("history/loads_all"),
            &[
                "@9000000000",
                "9000000",
                "0",
                EVER[0],
                EVER[1],
                "NULL",
                "NULL",
                "NULL",
                "NULL",
                "25",
            ],
        ),
        (
            statement!("history/loads_of_dag"),
            &[
                "@9000000000",
                "9000000",
                "0",
                EVER[0],
                EVER[1],
                "'dag_3'",
                "NULL",
                "NULL",
                "NULL",
                "25",
            ],
        ),
        (
            statement!("history/loads_into"),
            &[
                "@9000000000",
                "9000000",
                "0",
                EVER[0],
                EVER[1],
                "NULL",
                "'table_7'",
                "NULL",
                "NULL",
                "25",
            ],
        ),
        (
            statement!("history/loads_failed"),
            &[
                "@9000000000",
                "9000000",
                "0",
                EVER[0],
                EVER[1],
                "NULL",
                "NULL",
                "'failed'",
                "NULL",
                "25",
            ],
        ),
        (
            statement!("history/loads_of_run"),
            &["77", "-1", "-1", "25"],
        ),
        (
            statement!("history/search_runs"),
            &["'scheduled__12'", "'scheduled__13'", "NULL", "10"],
        ),
        (
            statement!("history/loads_by_job"),
            &["'job_12'", "NULL", "10"],
        ),
        (statement!("history/load_of"), &["77", "0"]),
        (statement!("history/loads_of_attempt"), &["77", "25"]),
        (statement!("history/checks_of_attempt"), &["77", "25"]),
        (
            statement!(each "history/load_days"),
            &["@1700000000", "@1700002000", "NULL", "NULL", "NULL"],
        ),
        (
            statement!("history/checks_all"),
            &[
                "@9000000000",
                "9000000",
                "0",
                EVER[0],
                EVER[1],
                "NULL",
                "NULL",
                "NULL",
                "NULL",
                "NULL",
                "25",
            ],
        ),
        (
            statement!("history/checks_bad"),
            &[
                "@9000000000",
                "9000000",
                "0",
                EVER[0],
                EVER[1],
                "NULL",
                "NULL",
                "NULL",
                "'failed'",
                "NULL",
                "25",
            ],
        ),
        (
            statement!("history/checks_of_dag"),
            &[
                "@9000000000",
                "9000000",
                "0",
                EVER[0],
                EVER[1],
                "'dag_3'",
                "NULL",
                "NULL",
                "NULL",
                "NULL",
                "25",
            ],
        ),
        (
            statement!("history/checks_of_table"),
            &[
                "@9000000000",
                "9000000",
                "0",
                EVER[0],
                EVER[1],
                "NULL",
                "'table_7'",
                "NULL",
                "NULL",
                "NULL",
                "25",
            ],
        ),
        (
            statement!("history/checks_of_check"),
            &[
                "@9000000000",
                "9000000",
                "0",
                EVER[0],
                EVER[1],
                "'dag_3'",
                "'table_7'",
                "'unique(a)'",
                "NULL",
                "NULL",
                "25",
            ],
        ),
        (statement!("history/check_of"), &["77", "0"]),
        (
            statement!("history/checks_of_run"),
            &["77", "-1", "-1", "25"],
        ),
        (
            statement!(each "history/check_heads"),
            &[
                "'dag_3'",
                "'table_7'",
                "'a'",
                "NULL",
                "NULL",
                "NULL",
                "true",
                "50",
                "30",
            ],
        ),
        (statement!(each "clean/clean_check_result"), &["#77"]),
        (statement!(each "history/grid_cells"), &["#77"]),
        (statement!(each "history/noted"), &["#77"]),
        (statement!("audit/audit_upwards"), &["77", "25"]),
        (statement!("audit/audit_downwards"), &["-77", "25"]),
        (statement!("clean/audit_oldest_upwards"), &["25"]),
        (statement!("clean/audit_oldest_downwards"), &["25"]),
        (statement!("clean/clean_old_audit"), &["1", "77"]),
        (statement!(each "history/whole_tasks"), &["77", "#3"]),
        (statement!(each "live/run_marks"), &["#77", "9000000"]),
        (statement!(each "live/task_marks"), &["#77"]),
        (statement!(each "history/recent_runs"), &["12"]),
        (
            statement!(each "history/run_days"),
            &["'dag_3'", "@1700000000", "@1700086400"],
        ),
        (statement!("history/version_uses"), &["'dag_3'", "25"]),
        (
            statement!("history/failures"),
            &["@1700000000", "25", "NULL", "100"],
        ),
        (
            statement!("find/run_heads"),
            &["'dag_3'", "@1700000000", "@1700090000"],
        ),
        (statement!("find/run_before"), &["'dag_3'", "@1700090000"]),
        (
            statement!("find/dated_run_before"),
            &["'dag_3'", "@1700090000"],
        ),
        (
            statement!("find/dates_taken_of"),
            &["'dag_3'", "@1700000000", "@1700090000"],
        ),
        (statement!("find/run_named"), &["'dag_3'", "'scheduled__3'"]),
        (
            statement!("find/run_numbers_of_dag"),
            &[
                "@1700000000",
                "@1700090000",
                "',failed,'",
                "NULL",
                "'dag_3'",
            ],
        ),
        (
            statement!("find/run_numbers_failed"),
            &[EVER[0], EVER[1], "',failed,'", "',manual,'"],
        ),
        (statement!("secret/connection_named"), &["'name_77'"]),
        (statement!("secret/variable_named"), &["'name_77'"]),
        (statement!("history/audits_last"), &["25"]),
        (statement!("history/audits_all"), &["77", "25"]),
        (
            statement!("history/audits_of_dag"),
            &["77", "25", "'dag_3'"],
        ),
        (statement!("access/user_named"), &["'name_77'"]),
        (statement!("access/user_of_sso"), &["'sso_77'"]),
        (statement!("access/user_signed_in"), &["'name_77'", "@0"]),
        (
            statement!("access/user_change"),
            &[
                "'name_77'",
                "1",
                "''",
                "'viewer'",
                "false",
                "NULL",
                "''",
                "''",
                "@0",
            ],
        ),
        (
            statement!("access/user_password"),
            &["'name_77'", "1", "NULL", "false", "''", "''", "@0"],
        ),
        (
            statement!("access/user_rehash"),
            &["'name_77'", "'old'", "'new'"],
        ),
        (statement!("access/grants_of_user"), &["'name_77'"]),
        (
            statement!("access/grant_put"),
            &["'name_77'", "'crm_*'", "'operator'", "''", "@0"],
        ),
        (statement!("access/grant_drop"), &["'name_77'", "'crm_*'"]),
        (statement!("access/session_live"), &["'hash_77'", "@0"]),
        (
            statement!("access/session_touch"),
            &["'hash_77'", "@0", "@0"],
        ),
        (statement!("access/session_end"), &["'hash_77'"]),
        (statement!("access/sessions_end"), &["'name_77'", "NULL"]),
        (statement!("access/sessions_of_user"), &["'name_77'", "@0"]),
        (statement!("access/token_live"), &["'hash_77'", "@0"]),
        (statement!("access/token_touch"), &["'id_77'", "@0"]),
        (statement!("access/token_of_id"), &["'id_77'"]),
        (statement!("access/token_revoke"), &["'id_77'", "@0", "''"]),
        (statement!("access/tokens_of_user"), &["'name_77'"]),
        (
            statement!("access/attempt_count"),
            &["'name_77'", "@0", "@0"],
        ),
        (statement!("access/attempt_forget"), &["'name_77'"]),
        (statement!("access/attempt_back"), &["'name_77'"]),
        (statement!("recover/active_runs"), &[]),
        (statement!(each "recover/runs"), &["#77"]),
        (statement!(each "recover/tasks"), &["#77"]),
        (statement!(each "recover/task_details"), &["#77"]),
        (statement!(each "recover/listed_outputs"), &["#77"]),
        (statement!(each "recover/versions_of_runs"), &["#77"]),
        (statement!(each "clean/clean_task"), &["#77"]),
        (statement!(each "clean/log_left_add"), &["#77"]),
        (statement!("clean/log_left_drop"), &["'dag_3'", "'x'"]),
        (statement!(each "clean/clean_attempt"), &["#77"]),
        (statement!(each "clean/clean_output"), &["#77"]),
        (statement!(each "clean/clean_load"), &["#77"]),
    ]
}

/// The statement with its arguments written into it.
fn filled(postgres: bool, statement: &str, args: &[&str]) -> String {
    let mut text = statement.to_owned();
    for (at, arg) in args.iter().enumerate().rev() {
        let value = match (arg.split_at(1), postgres) {
            (("@", seconds), true) => format!("to_timestamp({seconds})"),
            (("@", seconds), false) => format!("{seconds}000000"),
            (("#", list), true) => format!("ARRAY[{list}]"),
            (("#", list), false) => format!("jsonb('[{list}]')"),
            _ => (*arg).to_owned(),
        };
        text = text.replace(&format!("${}", at + 1), &value);
    }
    text
}

pub(crate) async fn nothing_reads_a_whole_table(place: &Place) {
    let statements = big::statements(place.is_postgres(), RUNS);
    for statement in statements
        .into_iter()
        .chain(big::secrets(place.is_postgres(), RUNS))
        .chain(access(place.is_postgres(), RUNS))
    {
        place.by_hand(&statement).await;
    }
    if place.is_postgres() {
        // SQLite plans without statistics; PostgreSQL gathers its own before long.
        place.by_hand("ANALYZE").await;
    }
    for ((name, postgres, sqlite), args) in asked() {
        let statement = if place.is_postgres() {
            postgres
        } else {
            sqlite
        };
        let plan = place
            .plan(&filled(place.is_postgres(), statement, args))
            .await;
        for table in [
            "run",
            "task",
            "attempt",
            "load",
            "check_result",
            "output",
            "connection",
            "variable",
            "audit",
            "user_account",
            "dag_grant",
            "session",
            "api_token",
            "login_attempt",
        ] {
            let whole = |line: &str| {
                line.ends_with(&format!("SCAN {table}"))
                    || ["s", "t", "u"]
                        .map(|short| format!("SCAN {short}"))
                        .iter()
                        .any(|scan| line.ends_with(scan))
                    || line.contains(&format!("SCAN {table} USING INDEX {table}_of"))
                    || line.contains(&format!("Seq Scan on {table} "))
            };
            assert!(
                !plan.lines().any(whole),
                "{name} reads all of {table}:\n{plan}"
            );
        }
        // Specs are long: a list of versions reads none.
        let of_index = "SEARCH known USING COVERING INDEX dag_version_by_time";
        assert!(
            place.is_postgres() || !name.ends_with("version_uses") || plan.contains(of_index),
            "{name} reads specs:\n{plan}"
        );
    }
}

/// The statements that write so many users, each with a grant, a session and a token, as many who tried to sign in, and as
/// many lines of the audit log.
fn access(postgres: bool, count: u32) -> Vec<String> {
    let numbers = if postgres {
        format!("generate_series(1, {count}) AS r (i)")
    } else {
        format!(
            "(WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) SELECT i FROM n) AS r"
        )
    };
    let at = if postgres {
        "to_timestamp(r.i)"
    } else {
        "r.i * 1000000"
    };
    vec![
        format!(
            "INSERT INTO user_account (name, display, sso, role, disabled, must_change, created_at, edits) \
             SELECT 'name_' || r.i, '', 'sso_' || r.i, 'viewer', false, false, {at}, 1 FROM {numbers}"
        ),
        format!(
            "INSERT INTO dag_grant (user_name, pattern, role, given_by, given_at) \
             SELECT 'name_' || r.i, 'crm_*', 'operator', '', {at} FROM {numbers}"
        ),
        format!(
            "INSERT INTO session (hash, user_name, created_at, seen_at, ends_at, address, user_agent) \
             SELECT 'hash_' || r.i, 'name_' || r.i, {at}, {at}, {at}, '', '' FROM {numbers}"
        ),
        format!(
            "INSERT INTO api_token (id, hash, name, user_name, role, dags, created_at) \
             SELECT 'id_' || r.i, 'hash_' || r.i, '', 'name_' || r.i, 'viewer', '[]', {at} FROM {numbers}"
        ),
        format!(
            "INSERT INTO login_attempt (subject, attempts, since) SELECT 'name_' || r.i, 1, {at} FROM {numbers}"
        ),
        format!(
            "INSERT INTO audit (id, done_at, actor, action, target, dag, details) \
             SELECT r.i, {at}, '', '', '', 'dag_' || r.i % 20, '' FROM {numbers}"
        ),
    ]
}
