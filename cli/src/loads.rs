//! `loads`: what was loaded where.

mod reconcile;

use clap::{Args, Subcommand};
use serde_json::json;
use tidemill_core::protocol::{AttemptNo, Load};
use tidemill_store::history::LoadFilter;
use tidemill_web::api::views::LoadView;

use crate::config::flags::OfCommand;
use crate::config::{Environment, Flags};
use crate::output::Output;
use crate::remote::{Remote, When, at, gone, place, span_of};
use crate::table::table;

#[derive(Debug, Subcommand)]
pub(crate) enum LoadsCommand {
    /// List loads, the last first.
    #[command(
        after_help = "Examples:\n  loads list\n  loads list crm_daily --status failed\n  loads list --table crm.tickets --from 2025-01-01 --json"
    )]
    List(ListArgs),
    /// Compare the last load into each table with the rows that BigQuery has: exit code 1 if one differs.
    ///
    /// Nothing is billed: no query is made. It has to run where the database and the keys of the connections are.
    #[command(
        after_help = "Examples:\n  loads reconcile\n  loads reconcile crm_daily --connection google\n  loads reconcile --table crm.tickets --json"
    )]
    Reconcile(reconcile::ReconcileArgs),
    /// Show one load: numbers, files, job, error.
    #[command(after_help = "Example:\n  loads show crm_daily 1001.0")]
    Show(ShowArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Only of this DAG.
    dag: Option<String>,
    /// Only into this table.
    #[arg(long)]
    table: Option<String>,
    /// Only with this status: success, failed.
    #[arg(long, value_parser = ["success", "failed"])]
    status: Option<String>,
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

/// From a time to a time.
#[derive(Debug, Args)]
pub(crate) struct Within {
    /// Only what ended at this time or later: a day in the DAG's zone, or an instant.
    #[arg(long, value_name = "TIME")]
    from: Option<When>,
    /// Only what ended up to here; a day is meant with all its hours.
    #[arg(long, value_name = "TIME")]
    to: Option<When>,
}

impl Within {
    /// This much of all times.
    pub(crate) fn span(
        &self,
        zone: chrono_tz::Tz,
    ) -> Result<std::ops::Range<tidemill_core::time::Timestamp>, Output> {
        let mut span = LoadFilter::default().ended;
        if let Some(from) = &self.from {
            span.start = from.begins(zone)?;
        }
        if let Some(to) = &self.to {
            span.end = to.ends(zone)?.after(std::time::Duration::from_micros(1));
        }
        Ok(span)
    }
}

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// The DAG.
    dag: String,
    /// The load: the number of its attempt, a dot, and which of its loads; as `loads list` shows it.
    #[arg(value_parser = place)]
    load: (AttemptNo, u32),
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: Flags<OfCommand>,
}

/// Does what the command line says.
pub(crate) fn run(command: &LoadsCommand, environment: &Environment) -> Output {
    let done = match command {
        LoadsCommand::List(args) => list(args, environment),
        LoadsCommand::Reconcile(args) => return reconcile::reconcile(args, environment),
        LoadsCommand::Show(args) => show(args, environment),
    };
    done.unwrap_or_else(|wrong| wrong)
}

fn list(args: &ListArgs, environment: &Environment) -> Result<Output, Output> {
    let remote = Remote::open(&args.settings, environment)?;
    let (dag, zone) = match &args.dag {
        None => (None, chrono_tz::Tz::UTC),
        Some(name) => (Some(remote.dag(name)?.0.id), remote.zone(name)?),
    };
    let of = LoadFilter {
        dag,
        among: None,
        destination: args.table.clone(),
        ended: args.span.span(zone)?,
        status: args.status.clone(),
    };
    let loads = remote.read(remote.reads.loads(&of, args.limit))?;
    if args.json {
        return Ok(Output::data(format!("{:#}\n", json!(loads))));
    }
    let rows: Vec<Vec<String>> = loads.iter().map(row).collect();
    let head = [
        "LOAD", "DAG", "TASK", "INTO", "STATUS", "BEFORE", "LOADED", "AFTER", "ENDED", "TOOK",
    ];
    Ok(Output::data(table(&head, &rows)))
}

/// The load itself, which travels as it is.
fn load_of(view: &LoadView) -> Load {
    serde_json::from_value(view.load.clone()).unwrap_or_default()
}

fn into(load: &Load) -> String {
    match &load.partition {
        Some(partition) => format!("{}${partition}", load.destination),
        None => load.destination.clone(),
    }
}

fn number(value: Option<i64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

fn task_of(task: Option<&String>, index: i32) -> String {
    match (task, index) {
        (None, _) => "-".to_owned(),
        (Some(task), index) if index < 0 => task.clone(),
        (Some(task), index) => format!("{task}[{index}]"),
    }
}

fn row(view: &LoadView) -> Vec<String> {
    let load = load_of(view);
    vec![
        format!("{}.{}", view.attempt, view.nth),
        view.dag.to_string(),
        task_of(view.task.as_ref(), view.index),
        into(&load),
        load.status.clone(),
        number(load.rows_before),
        load.rows_loaded.to_string(),
        number(load.rows_after),
        at(load.ended_at),
        span_of(load.started_at, load.ended_at),
    ]
}

fn show(args: &ShowArgs, environment: &Environment) -> Result<Output, Output> {
    let remote = Remote::open(&args.settings, environment)?;
    let found = remote.read(remote.reads.load(&args.dag, args.load))?;
    let view = found.ok_or_else(|| gone("load", &args.dag))?;
    if args.json {
        return Ok(Output::data(format!("{:#}\n", json!(view))));
    }
    let load = load_of(&view);
    let mut out = format!("{}  {}\n", into(&load), load.status);
    let mut fact = |name: &str, value: String| {
        if !value.is_empty() {
            out.push_str(&format!("  {name:<10} {value}\n"));
        }
    };
    fact("dag", view.dag.to_string());
    fact("run", view.run_name.clone().unwrap_or_default());
    fact("task", task_of(view.task.as_ref(), view.index));
    fact("mode", load.mode.clone());
    fact("started", at(load.started_at));
    fact("ended", at(load.ended_at));
    fact("took", span_of(load.started_at, load.ended_at));
    fact("before", number(load.rows_before));
    fact("loaded", load.rows_loaded.to_string());
    fact("after", number(load.rows_after));
    fact("rejected", load.rows_rejected.to_string());
    fact(
        "read",
        format!(
            "{} rows, {} bytes, {} files",
            load.rows_read, load.bytes_read, load.files
        ),
    );
    fact("job", load.job_id.clone().unwrap_or_default());
    fact("link", load.job_url.clone().unwrap_or_default());
    fact(
        "slot ms",
        load.slot_ms.map(|n| n.to_string()).unwrap_or_default(),
    );
    fact(
        "billed",
        load.bytes_billed
            .map(|n| format!("{n} bytes"))
            .unwrap_or_default(),
    );
    fact("error", load.error.clone().unwrap_or_default());
    for source in &load.sources {
        fact("source", source.clone());
    }
    Ok(Output::data(out))
}
