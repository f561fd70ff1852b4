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
                "25",
            ],
        ),
        (
            statement!("history/runs_all"),
            &["9000000", EVER[0], EVER[1], "NULL", "NULL", "NULL", "25"],
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
                "25",
            ],
        ),
        (
            statement!("history/runs_failed"),
            &[
                "9000000", EVER[0], EVER[1], "'failed'", "NULL", "NULL", "25",
            ],
        ),
        (statement!("history/attempts_of_task"), &["77", "3", "-1"]),
        (
            statement!("history/attempts_of_run"),
            &["77", "3", "-1", "0", "25"],
        ),
        (
            statement!("history/task_past"),
            &["'dag_3'", "@9000000000", "9000000", "25", "3", "-1"],
        ),
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
                "25",
            ],
        ),
        (statement!("history/loads_of_run"), &["77"]),
        (
            statement!("history/search_runs"),
            &["'scheduled__12'", "'scheduled__13'", "10"],
        ),
        (statement!(each "history/grid_cells"), &["#77"]),
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
            "output",
            "connection",
            "variable",
        ] {
            let whole = |line: &str| {
                line.ends_with(&format!("SCAN {table}"))
                    || line.contains(&format!("SCAN {table} USING INDEX {table}_of"))
                    || line.contains(&format!("Seq Scan on {table} "))
            };
            assert!(
                !plan.lines().any(whole),
                "{name} reads all of {table}:\n{plan}"
            );
        }
    }
}
