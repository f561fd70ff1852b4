//! `backfill`: runs for the past.

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use tidemill_scheduler::engine::{Backfill, Command, Pausable};
use tidemill_store::record::{BackfillRow, DateState, Reprocess};

use crate::config::flags::OfCommand;
use crate::config::{Environment, Flags};
use crate::output::Output;
use crate::remote::{ChangeArgs, ParamArgs, Remote, When, at};
use crate::table::table;

#[derive(Debug, Subcommand)]
pub(crate) enum BackfillCommand {
    /// Make runs for dates of the past. Which, is shown first; they are made with `--yes`.
    #[command(
        after_help = "Examples:\n  backfill create crm_daily --from 2025-01-01 --to 2025-01-31\n  backfill create crm_daily --from 2025-01-01 --to 2025-01-31 --reprocess failed --yes"
    )]
    Create(Box<CreateArgs>),
    /// List backfills, the newest first.
    #[command(after_help = "Example:\n  backfill list --dag crm_daily")]
    List(ListArgs),
    /// Show one backfill and its dates.
    #[command(after_help = "Example:\n  backfill show 3")]
    Show(ShowArgs),
    /// It makes no runs for now, and nothing of those that are on starts.
    #[command(after_help = "Example:\n  backfill pause 3")]
    Pause(OneArgs),
    /// It goes on.
    #[command(after_help = "Example:\n  backfill unpause 3")]
    Unpause(OneArgs),
    /// It ends, and its runs with it.
    #[command(after_help = "Example:\n  backfill cancel 3")]
    Cancel(OneArgs),
}

#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    /// The DAG.
    dag: String,
    /// The first start that it covers: a day in the DAG's zone, or an instant.
    #[arg(long, value_name = "TIME")]
    from: When,
    /// The last; a day is meant with all its hours.
    #[arg(long, value_name = "TIME")]
    to: When,
    /// Dates that have a run already: `none` of them runs again, those that `failed`, or all that `completed`.
    #[arg(long, value_name = "WHICH", default_value = "none", value_parser = ["none", "failed", "completed"])]
    reprocess: String,
    /// The newest date first.
    #[arg(long)]
    backwards: bool,
    /// How many of its runs are active at once.
    #[arg(long, value_name = "N", default_value_t = Backfill::ACTIVE_RUNS_MAX_DEFAULT)]
    active_runs_max: u32,
    #[command(flatten)]
    params: ParamArgs,
    /// Do it; without this it is only shown.
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    change: ChangeArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Only of this DAG.
    #[arg(long)]
    dag: Option<String>,
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
    /// Its number.
    backfill: i64,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: Flags<OfCommand>,
}

#[derive(Debug, Args)]
pub(crate) struct OneArgs {
    /// Its number.
    backfill: i64,
    #[command(flatten)]
    change: ChangeArgs,
}

pub(crate) fn run(command: &BackfillCommand, environment: &Environment) -> Output {
    let done = match command {
        BackfillCommand::Create(args) => create(args, environment),
        BackfillCommand::List(args) => list(args, environment),
        BackfillCommand::Show(args) => show(args, environment),
        BackfillCommand::Pause(args) => pause(args, true, environment),
        BackfillCommand::Unpause(args) => pause(args, false, environment),
        BackfillCommand::Cancel(args) => cancel(args, environment),
    };
    done.unwrap_or_else(|wrong| wrong)
}

fn create(args: &CreateArgs, environment: &Environment) -> Result<Output, Output> {
    let params = args.params.value()?;
    let changes = args.change.open(environment)?;
    let (dag, _) = changes.remote.dag(&args.dag)?;
    let zone = changes.remote.zone(&args.dag)?;
    let reprocess: Result<Reprocess, _> = args.reprocess.parse();
    let now = crate::clock::now().into();
    let (from, mut to) = (args.from.begins(zone)?, args.to.ends(zone)?);
    if args.to.day().is_some() && to > now && args.to.begins(zone)? <= now {
        // Today's hours are not over yet.
        to = now;
    }
    let command = Command::Backfill(Backfill {
        dag: dag.id,
        from,
        to,
        reprocess: reprocess.map_err(|error| Output::usage(error, ""))?,
        backwards: args.backwards,
        active_runs_max: args.active_runs_max,
        params,
    });
    changes.send_if_sure(
        args.yes,
        &format!("made a backfill of {}", args.dag),
        command,
    )
}

fn list(args: &ListArgs, environment: &Environment) -> Result<Output, Output> {
    let remote = Remote::open(&args.settings, environment)?;
    let dag = args.dag.as_deref().map(|dag| remote.dag(dag)).transpose()?;
    let dag = dag.map(|(row, _)| row.id);
    let all = remote.read(remote.reads.backfills(dag.as_ref(), args.limit))?;
    if args.json {
        let all: Vec<Value> = all.iter().map(document).collect();
        return Ok(Output::data(format!("{:#}\n", json!(all))));
    }
    let rows: Vec<Vec<String>> = all
        .iter()
        .map(|row| {
            vec![
                row.id.to_string(),
                row.dag.to_string(),
                row.state.word().to_owned(),
                at(row.from),
                at(row.to),
                row.reprocess.word().to_owned(),
                at(row.created_at),
            ]
        })
        .collect();
    let head = ["NO", "DAG", "STATE", "FROM", "TO", "REPROCESS", "MADE"];
    Ok(Output::data(table(&head, &rows)))
}

fn document(row: &BackfillRow) -> Value {
    json!({
        "no": row.id, "dag": row.dag, "state": row.state.word(), "from": row.from, "to": row.to,
        "reprocess": row.reprocess, "active_runs_max": row.active_runs_max,
        "params": serde_json::from_str::<Value>(&row.params).unwrap_or_default(),
        "created_at": row.created_at, "edits": row.edits,
    })
}

fn find(remote: &Remote, id: i64) -> Result<BackfillRow, Output> {
    let found = remote.read(remote.reads.backfill(id))?;
    found.ok_or_else(|| {
        Output::usage(
            format_args!("there is no backfill {id}"),
            "`backfill list` shows all there are",
        )
    })
}

fn show(args: &ShowArgs, environment: &Environment) -> Result<Output, Output> {
    let remote = Remote::open(&args.settings, environment)?;
    let row = find(&remote, args.backfill)?;
    let dates = remote.read(remote.reads.dates(&row))?;
    let stands = |state: &DateState| match state {
        DateState::Waiting(None) => ("waiting", String::new()),
        DateState::Waiting(Some(run)) => ("waiting", format!("run {run} again")),
        DateState::Made(run) => ("made", format!("run {run}")),
        DateState::LeftOut(why) => ("left out", why.to_string()),
    };
    if args.json {
        let mut value = document(&row);
        value["dates"] = dates
            .iter()
            .map(|date| {
                let (state, what) = stands(&date.state);
                json!({ "start": date.start, "end": date.end, "state": state, "what": what })
            })
            .collect();
        return Ok(Output::data(format!("{value:#}\n")));
    }
    let mut out = format!(
        "backfill {} of {}  {}\n  from       {}\n  to         {}\n  edits      {}\n\n",
        row.id,
        row.dag,
        row.state.word(),
        at(row.from),
        at(row.to),
        row.edits
    );
    let rows: Vec<Vec<String>> = dates
        .iter()
        .map(|date| {
            let (state, what) = stands(&date.state);
            vec![at(date.start), at(date.end), state.to_owned(), what]
        })
        .collect();
    out.push_str(&table(&["FROM", "TO", "STATE", "WHAT"], &rows));
    Ok(Output::data(out))
}

fn pause(args: &OneArgs, pause: bool, environment: &Environment) -> Result<Output, Output> {
    let changes = args.change.open(environment)?;
    let row = find(&changes.remote, args.backfill)?;
    let what = Pausable::Backfill(row.id);
    let done = if pause { "paused" } else { "unpaused" };
    let done = format!("{done} backfill {} of {}", row.id, row.dag);
    changes.send(&done, Command::Pause { what, pause })
}

fn cancel(args: &OneArgs, environment: &Environment) -> Result<Output, Output> {
    let changes = args.change.open(environment)?;
    let row = find(&changes.remote, args.backfill)?;
    let done = format!("cancelled backfill {} of {}", row.id, row.dag);
    changes.send(&done, Command::CancelBackfill { backfill: row.id })
}
