//! What changing commands have in common: their flags, and saying what changed or would change.

use std::collections::BTreeMap;
use std::sync::Arc;

use clap::Args;
use serde_json::json;
use tidemill_core::protocol::RunNo;
use tidemill_scheduler::engine::{Changed, Command, DatePlan};

use super::find::{at, shown};
use super::{Asking, Remote};
use crate::config::flags::OfCommand;
use crate::config::{Environment, Flags};
use crate::output::{Output, USAGE, count};
use crate::table::table;

/// How many rows of a table are shown at the most; `--json` has all.
const ROWS_MAX: usize = 200;

/// What changing commands have in common.
#[derive(Debug, Args)]
pub(crate) struct ChangeArgs {
    /// Change nothing, only say what would change.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Print one JSON document.
    #[arg(long)]
    pub(crate) json: bool,
    /// Who asks, for the audit log; without it the user's name.
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Refuse with exit code 1 if somebody changed it since: the `edits` that you saw.
    #[arg(long, value_name = "EDITS")]
    seen: Option<u32>,
    #[command(flatten)]
    settings: Flags<OfCommand>,
}

impl ChangeArgs {
    /// Opens the Tidemill that is meant.
    pub(crate) fn open<'a>(&'a self, environment: &Environment) -> Result<Changes<'a>, Output> {
        let remote = Remote::open(&self.settings, environment)?;
        let by = self.by.clone().unwrap_or_else(|| remote.user.clone());
        Ok(Changes {
            args: self,
            remote,
            by,
            names: BTreeMap::new(),
        })
    }
}

/// A changing command at work.
pub(crate) struct Changes<'a> {
    args: &'a ChangeArgs,
    pub(crate) remote: Remote,
    by: String,
    names: BTreeMap<RunNo, Arc<str>>,
}

impl Changes<'_> {
    /// A run of this name may come up in what changes.
    pub(crate) fn name(&mut self, run: RunNo, name: &Arc<str>) {
        self.names.insert(run, Arc::clone(name));
    }

    /// Who asks.
    pub(crate) fn asking(&self) -> Asking {
        Asking {
            by: self.by.clone(),
            seen: self.args.seen,
            dry_run: self.args.dry_run,
        }
    }

    /// Sends a command, and says what it did: `done` is for the headline, such as `cleared 2 tasks`.
    pub(crate) fn send(&self, done: &str, command: Command) -> Result<Output, Output> {
        let changed = self.remote.ask(&self.asking(), command)?;
        Ok(self.say(done, &changed))
    }

    /// The same, for what may be much more than was meant: it is counted first, and done only with `--yes`.
    pub(crate) fn send_if_sure(
        &self,
        yes: bool,
        done: &str,
        command: Command,
    ) -> Result<Output, Output> {
        let look = Asking {
            dry_run: true,
            ..self.asking()
        };
        let would = self.remote.ask(&look, command.clone())?;
        let counted = counted(&would);
        if self.args.dry_run {
            return Ok(self.say(done, &would));
        }
        if !yes {
            let output = self.shown(done, &would, true);
            let line = format!("this is {counted}; nothing was changed. Add `--yes` to do it");
            return Ok(output.talk(line).code(USAGE));
        }
        Ok(self.send(done, command)?.talk(counted))
    }

    /// Says what changed, or would have.
    pub(crate) fn say(&self, done: &str, changed: &Changed) -> Output {
        self.shown(done, changed, self.args.dry_run)
    }

    fn shown(&self, done: &str, changed: &Changed, dry: bool) -> Output {
        if self.args.json {
            let document = json!({ "dry_run": dry, "changed": changed });
            return Output::data(format!("{document:#}\n"));
        }
        let mut out = if dry {
            format!("would have {done}\n")
        } else {
            format!("{done}\n")
        };
        let run = |no: &RunNo| match self.names.get(no) {
            Some(name) => format!("{no}  {name}"),
            None => no.to_string(),
        };
        for (no, name) in &changed.runs_made {
            out.push_str(&format!("  run {no}  {name}\n"));
        }
        if changed.tasks.is_empty() {
            for no in changed.runs.iter().take(ROWS_MAX) {
                out.push_str(&format!("  run {}\n", run(no)));
            }
        }
        let rows = changed.tasks.iter().take(ROWS_MAX).map(|change| {
            vec![
                run(&change.of.run),
                shown(&change.name, change.of.map_index),
                format!("{} → {}", change.from, change.to),
            ]
        });
        let rows: Vec<_> = rows.collect();
        if !rows.is_empty() {
            out.push_str(&table(&["RUN", "TASK", "STATE"], &rows));
        }
        let more = changed
            .tasks
            .len()
            .max(changed.runs.len())
            .saturating_sub(ROWS_MAX);
        if more > 0 {
            out.push_str(&format!("  and {more} more; `--json` has all\n"));
        }
        out.push_str(&dates(&changed.dates));
        for table in &changed.writes_again {
            out.push_str(&format!("  writes again: {table}\n"));
        }
        for remark in &changed.remarks {
            out.push_str(&format!("  {remark}\n"));
        }
        if changed.runs_left > 0 {
            let left = changed.runs_left;
            out.push_str(&format!(
                "  {left} more runs match; they are left as they are\n"
            ));
        }
        Output::data(out)
    }
}

fn counted(changed: &Changed) -> String {
    let mut parts = Vec::new();
    let made = changed.dates.iter().filter(|date| date.left_out.is_none());
    if !changed.dates.is_empty() {
        parts.push(count(made.count(), "run"));
        parts.push(format!("of {}", count(changed.dates.len(), "date")));
    } else {
        parts.push(count(changed.runs.len(), "run"));
        parts.push(format!("with {}", count(changed.tasks.len(), "task")));
    }
    parts.join(" ")
}

/// What becomes of each date of a backfill.
fn dates(dates: &[DatePlan]) -> String {
    if dates.is_empty() {
        return String::new();
    }
    let rows = dates.iter().take(ROWS_MAX).map(|date| {
        let what = match (&date.left_out, date.again) {
            (Some(why), _) => format!("left out: {why}"),
            (None, Some(run)) => format!("run {run} again"),
            (None, None) => "a run".to_owned(),
        };
        vec![at(date.start), at(date.end), what]
    });
    let mut out = table(&["FROM", "TO", "WHAT"], &rows.collect::<Vec<_>>());
    if let Some(more) = dates.len().checked_sub(ROWS_MAX).filter(|more| *more > 0) {
        out.push_str(&format!("  and {more} more; `--json` has all\n"));
    }
    out
}
