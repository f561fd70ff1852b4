//! `checks`: what came of checks of data.

use clap::{Args, Subcommand};
use serde_json::json;
use tidemill_core::protocol::{AttemptNo, CheckResult};
use tidemill_store::history::{CheckFilter, HeadFilter};
use tidemill_web::api::views::{CheckHeadView, CheckResultView};

use crate::config::flags::OfCommand;
use crate::config::{Environment, Flags};
use crate::loads::Within;
use crate::output::Output;
use crate::remote::{Remote, at, gone, place};
use crate::table::table;

#[derive(Debug, Subcommand)]
pub(crate) enum ChecksCommand {
    /// List checks with what came of them lately; with a status, a name or a time, single results, the last first.
    #[command(
        after_help = "Examples:\n  checks list\n  checks list crm_daily --bad\n  checks list --table crm.tickets --status failed --from 2025-01-01 --json"
    )]
    List(ListArgs),
    /// Show what came of one check: numbers, failing rows, and the SQL that gives them again.
    #[command(after_help = "Example:\n  checks show crm_daily 1001.0")]
    Show(ShowArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Only of this DAG.
    dag: Option<String>,
    /// Only of this table.
    #[arg(long)]
    table: Option<String>,
    /// Only checks whose last result is not passed.
    #[arg(long, conflicts_with_all = ["status", "name", "from", "to"])]
    bad: bool,
    /// Results with this status: passed, warned, failed, error.
    #[arg(long, value_parser = ["passed", "warned", "failed", "error"])]
    status: Option<String>,
    /// Results of checks that are called like this: `not_null(id)`.
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    span: Within,
    /// How many.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    limit: u32,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: Flags<OfCommand>,
}

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// The DAG.
    dag: String,
    /// The result: the number of its attempt, a dot, and which of its checks; as `checks list` shows it.
    #[arg(value_parser = place)]
    check: (AttemptNo, u32),
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: Flags<OfCommand>,
}

/// Does what the command line says.
pub(crate) fn run(command: &ChecksCommand, environment: &Environment) -> Output {
    let done = match command {
        ChecksCommand::List(args) => list(args, environment),
        ChecksCommand::Show(args) => show(args, environment),
    };
    done.unwrap_or_else(|wrong| wrong)
}

fn list(args: &ListArgs, environment: &Environment) -> Result<Output, Output> {
    let remote = Remote::open(&args.settings, environment)?;
    let (dag, zone) = match &args.dag {
        None => (None, chrono_tz::Tz::UTC),
        Some(name) => (Some(remote.dag(name)?.0.id), remote.zone(name)?),
    };
    let at = args.span.span(zone)?;
    let single = args.status.is_some() || args.name.is_some() || at != CheckFilter::default().at;
    if single {
        let of = CheckFilter {
            dag,
            among: None,
            table: args.table.clone(),
            name: args.name.clone(),
            at,
            status: args.status.clone(),
        };
        let results = remote.read(remote.reads.checks(&of, args.limit))?;
        if args.json {
            return Ok(Output::data(format!("{:#}\n", json!(results))));
        }
        let rows: Vec<Vec<String>> = results.iter().map(row).collect();
        let head = [
            "RESULT",
            "DAG",
            "TABLE",
            "CHECK",
            "STATUS",
            "FAILED ROWS",
            "AT",
            "CAUSE",
        ];
        return Ok(Output::data(table(&head, &rows)));
    }
    let of = HeadFilter {
        dag,
        among: None,
        table: args.table.clone(),
        bad: args.bad,
    };
    let heads = remote.read(remote.reads.check_heads(&of, args.limit))?;
    if args.json {
        return Ok(Output::data(format!("{:#}\n", json!(heads))));
    }
    let rows: Vec<Vec<String>> = heads.iter().map(of_head).collect();
    let head = [
        "RESULT",
        "DAG",
        "TABLE",
        "CHECK",
        "STATUS",
        "FAILED ROWS",
        "AT",
        "LATELY",
    ];
    Ok(Output::data(table(&head, &rows)))
}

fn number(value: Option<i64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

/// The last results as one word, the newest on the right: `..wf.`.
fn lately(head: &CheckHeadView) -> String {
    let sign = |status: &str| match status {
        "passed" => '.',
        "warned" => 'w',
        "failed" => 'f',
        _ => 'e',
    };
    head.last
        .iter()
        .rev()
        .map(|mark| sign(&mark.status))
        .collect()
}

fn of_head(head: &CheckHeadView) -> Vec<String> {
    let last = head.last.first();
    let text = |of: fn(&tidemill_web::api::views::CheckMarkView) -> String| {
        last.map(of).unwrap_or_default()
    };
    vec![
        text(|mark| format!("{}.{}", mark.attempt, mark.nth)),
        head.dag.to_string(),
        head.table.clone(),
        head.name.clone(),
        text(|mark| mark.status.clone()),
        text(|mark| number(mark.rows_failed)),
        text(|mark| at(mark.at)),
        lately(head),
    ]
}

fn result_of(view: &CheckResultView) -> CheckResult {
    serde_json::from_value(view.result.clone()).unwrap_or_default()
}

fn row(view: &CheckResultView) -> Vec<String> {
    let result = result_of(view);
    vec![
        format!("{}.{}", view.attempt, view.nth),
        view.dag.to_string(),
        result.table,
        result.name,
        result.status,
        number(result.rows_failed),
        at(result.at),
        result.cause.lines().next().unwrap_or_default().to_owned(),
    ]
}

fn show(args: &ShowArgs, environment: &Environment) -> Result<Output, Output> {
    let remote = Remote::open(&args.settings, environment)?;
    let found = remote.read(remote.reads.check(&args.dag, args.check))?;
    let view = found.ok_or_else(|| gone("check", &args.dag))?;
    if args.json {
        return Ok(Output::data(format!("{:#}\n", json!(view))));
    }
    let result = result_of(&view);
    let mut out = format!("{}  {}  {}\n", result.table, result.name, result.status);
    let mut fact = |name: &str, value: &str| {
        if !value.is_empty() {
            out.push_str(&format!("  {name:<10} {value}\n"));
        }
    };
    fact("dag", view.dag.as_str());
    fact("run", view.run_name.as_deref().unwrap_or_default());
    fact("task", view.task.as_deref().unwrap_or_default());
    fact("at", &at(result.at));
    fact("severity", &result.severity);
    fact("blocking", if result.blocking { "yes" } else { "no" });
    fact("expected", &result.expected);
    fact("observed", &result.observed);
    fact("cause", &result.cause);
    fact("rows", &number(result.rows));
    fact("checked", &number(result.rows_checked));
    fact("failed", &number(result.rows_failed));
    for row in &result.sample {
        let cells: Vec<String> = row
            .iter()
            .map(|(name, value)| format!("{name}={}", value.as_deref().unwrap_or("NULL")))
            .collect();
        fact("row", &cells.join(", "));
    }
    for (words, sql) in [
        ("the failing rows", &result.rows_sql),
        ("the numbers", &result.sql),
    ] {
        if let Some(sql) = sql {
            out.push_str(&format!("\n-- {words}\n{sql}\n"));
        }
    }
    Ok(Output::data(out))
}
