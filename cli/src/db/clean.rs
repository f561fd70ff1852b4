//! `db clean`: old history goes, and with it the logs of the runs that went.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Args;
use serde_json::json;
use tidemill_core::id::DagId;
use tidemill_core::span;
use tidemill_core::time::Timestamp;
use tidemill_logs::{LogError, LogKeeper};
use tidemill_store::{CleanOptions, Cleaned, LogsLeft, Schema, Store};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{Done, now, or_failed, printed};
use crate::config::flags::OfClean;
use crate::config::kinds::Place;
use crate::config::{Environment, Flags, Loaded};
use crate::door::{self, chain};
use crate::kept_logs;
use crate::output::{Output, UNREACHABLE, count};
use crate::table::table;

/// How often a long command says how far it is.
const SAY_EVERY: Duration = Duration::from_secs(1);
/// The logs of so many runs are removed at once.
const LOGS_AT_ONCE: u32 = 32;

#[derive(Debug, Args)]
pub(crate) struct CleanArgs {
    /// What ended longer ago than this goes: 90d, 12h.
    #[arg(long, value_name = "SPAN", value_parser = span::parse)]
    older_than: Duration,
    /// Only history of this DAG.
    #[arg(long, value_parser = DagId::parse)]
    dag: Option<DagId>,
    /// Only count what would go.
    #[arg(long)]
    dry_run: bool,
    /// Keep the monitoring table: what was loaded, with how many rows, and what came of checks.
    #[arg(long)]
    keep_loads: bool,
    /// Take old lines of the audit log away, too, from its beginning to the first that is newer; not with `--dag`.
    #[arg(long)]
    audit: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: Flags<OfClean>,
}

impl CleanArgs {
    pub(super) fn load(&self, environment: &Environment) -> Result<Loaded, Output> {
        self.settings.load(environment)
    }

    fn options(&self, before: Timestamp) -> CleanOptions {
        CleanOptions {
            dag: self.dag.clone(),
            dry_run: self.dry_run,
            keep_loads: self.keep_loads,
            keep_audit: !self.audit,
            ..CleanOptions::before(before)
        }
    }
}

pub(super) async fn clean(loaded: &Loaded, args: &CleanArgs, environment: &Environment) -> Done {
    // A place that this build cannot open is said before anything goes.
    let logs = if args.dry_run || is_elsewhere(&loaded.settings.logs) {
        None
    } else {
        Some(kept_logs::open(loaded, environment)?)
    };
    let store = door::open(loaded, Schema::Require).await?;
    let micros = i64::try_from(args.older_than.as_micros()).unwrap_or(i64::MAX);
    let before = Timestamp::from_micros(now().micros().saturating_sub(micros));
    let mut went = Went {
        logs: remove(&store, logs.as_ref()).await?,
        ..Went::default()
    };
    let mut cleaning = store.clean(args.options(before));
    let mut said = Instant::now();
    while let Some(Cleaned { rows }) = or_failed(cleaning.next().await)? {
        for (table, rows) in rows {
            *went.rows.entry(table).or_default() += rows;
        }
        went.logs += remove(&store, logs.as_ref()).await?;
        if said.elapsed() >= SAY_EVERY {
            said = Instant::now();
            let runs = went.rows.get("run").copied().unwrap_or_default();
            let rows: u64 = went.rows.values().sum();
            environment.say(&format!("{runs} runs so far, {rows} rows in all"));
        }
    }
    let left = !or_failed(store.logs_left(1).await)?.is_empty();
    store.close().await;
    let output = went.said(args, before);
    Ok(if left && !args.dry_run {
        output.talk(format_args!(
            "the logs of runs that went are still there: the folder {} ({}) is not on this machine; clean once more where it is",
            kept_logs::place(loaded),
            loaded.origin("logs"),
        ))
    } else {
        output
    })
}

/// Whether logs are in a folder that is not on this machine.
fn is_elsewhere(place: &Place) -> bool {
    matches!(place, Place::Folder(folder) if !folder.is_dir())
}

/// Removes the logs of runs that went, in this clean or in one that was cut, and says of how many.
///
/// The rows go first: the transaction that takes a run away notes that its logs are left, so whatever is cut is followed
/// up, by the next clean at the latest. With the logs first, a run that somebody clears in between would stay and have
/// lost them. A backfill that makes a run of the same name meanwhile loses nothing: what it logs lies under another number.
async fn remove(store: &Store, logs: Option<&LogKeeper>) -> Result<usize, Output> {
    let Some(logs) = logs else {
        return Ok(0);
    };
    let mut removed = 0;
    loop {
        let left = or_failed(store.logs_left(LOGS_AT_ONCE).await)?;
        if left.is_empty() {
            return Ok(removed);
        }
        let gone = remove_all(logs, left.clone()).await;
        removed += gone.map_err(|error| {
            let error = chain(&error);
            Output::failed(
                format_args!("{error}; the runs are gone, their logs go with the next `db clean`"),
                UNREACHABLE,
            )
        })?;
        or_failed(store.logs_went(&left).await)?;
    }
}

async fn remove_all(logs: &LogKeeper, left: Vec<LogsLeft>) -> Result<usize, LogError> {
    let mut removing = JoinSet::new();
    for LogsLeft { dag, run } in left {
        let logs = logs.clone();
        removing.spawn(async move { logs.delete_run(&dag, &run).await });
    }
    let mut removed = 0;
    while let Some(done) = removing.join_next().await {
        done.unwrap_or(Err(LogError::Stopped))?;
        removed += 1;
    }
    Ok(removed)
}

/// What went, or would go.
#[derive(Default)]
struct Went {
    rows: BTreeMap<String, u64>,
    /// The logs of how many runs.
    logs: usize,
}

impl Went {
    fn said(mut self, args: &CleanArgs, before: Timestamp) -> Output {
        self.rows.retain(|_, rows| *rows > 0);
        if args.json {
            let all = json!({
                "dry_run": args.dry_run, "before": before, "rows": self.rows, "logs": self.logs,
            });
            return printed(&all);
        }
        let verb = if args.dry_run { "would go" } else { "went" };
        let logs = format!("the logs of {} went", count(self.logs, "run"));
        if self.rows.is_empty() {
            let nothing = format!("nothing {verb}: no history ended before {before}\n");
            let output = Output::data(nothing);
            return if self.logs == 0 {
                output
            } else {
                output.talk(format_args!("{logs}, left by a clean that was cut"))
            };
        }
        let rows: Vec<Vec<String>> = self
            .rows
            .iter()
            .map(|(table, rows)| vec![table.clone(), rows.to_string()])
            .collect();
        let output = Output::data(table(&["TABLE", "ROWS"], &rows))
            .talk(format_args!("that {verb}: what ended before {before}"));
        if self.logs == 0 {
            output
        } else {
            output.talk(logs)
        }
    }
}
