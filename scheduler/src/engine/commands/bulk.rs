//! The same for many runs.

use std::sync::Arc;

use tidemill_core::protocol::RunNo;

use super::{Answer, Asking};
use crate::engine::effect::{Changed, Refusal};
use crate::engine::input::{
    Around, BulkAction, Command, Filter, RunVersion, Select, Selected, Wanted,
};
use crate::engine::machine::Engine;
use crate::engine::run::Run;

impl Engine {
    pub(super) fn bulk(
        &mut self,
        filter: &Filter,
        action: &BulkAction,
        (note, asking): (Option<&Arc<str>>, Asking<'_>),
    ) -> Answer {
        for run in &filter.runs {
            match self.at_hand(*run) {
                Err(Refusal::Load(_)) => {
                    return Err(Refusal::Load(Box::new(Wanted::Runs(filter.runs.clone()))));
                }
                Err(refusal) => return Err(refusal),
                Ok(_) => {}
            }
        }
        if filter.runs.is_empty() {
            self.read_back(Wanted::Matching(filter.clone()))?;
        }
        let mut runs: Vec<RunNo> = self
            .runs
            .values()
            .filter(|run| matches(filter, run))
            .map(|run| run.no)
            .collect();
        runs.sort_unstable();
        let limit = usize::try_from(filter.runs_max.max(1)).unwrap_or(usize::MAX);
        let left = runs.len().saturating_sub(limit) + self.beyond(filter);
        runs.truncate(limit);
        let mut changed = Changed {
            runs_left: u32::try_from(left).unwrap_or(u32::MAX),
            ..Changed::default()
        };
        for run in runs {
            let tasks = if filter.tasks.is_empty() {
                Selected::All
            } else {
                Selected::Tasks(
                    filter
                        .tasks
                        .iter()
                        .map(|task| (task.clone(), None))
                        .collect(),
                )
            };
            let select = Select { run, tasks };
            let command = bulk_command(action, select, note);
            let result = self.answer(
                &command,
                Asking {
                    seen: None,
                    ..asking
                },
            );
            let changes = result.as_ref().is_ok_and(|one| !one.runs.is_empty());
            if changes && !asking.dry_run {
                // Whoever looks at the run alone sees who changed it, and why.
                self.note_command(asking.by, &command, &result);
            }
            match result {
                Ok(one) => {
                    changed.runs.extend(one.runs);
                    changed.tasks.extend(one.tasks);
                    changed.writes_again.extend(one.writes_again);
                }
                Err(refusal) => changed.remarks.push(format!("run {run}: {refusal}")),
            }
        }
        changed.writes_again.sort_unstable();
        changed.writes_again.dedup();
        if left > 0 && !asking.dry_run {
            // The same again is for the next ones, which are not at hand yet.
            self.world.read_back = None;
        }
        Ok(changed)
    }

    /// How many runs match that were not read back, because there are too many. One that is at hand is counted there.
    fn beyond(&self, filter: &Filter) -> usize {
        let read =
            self.world.read_back.as_ref().filter(
                |read| matches!(&read.wanted, Wanted::Matching(wanted) if wanted == filter),
            );
        let beyond = read.map_or(&[][..], |read| &read.beyond);
        beyond
            .iter()
            .filter(|run| !self.runs.contains_key(run))
            .count()
    }
}

fn matches(filter: &Filter, run: &Run) -> bool {
    if !filter.runs.is_empty() {
        return filter.runs.contains(&run.no);
    }
    filter
        .dag
        .as_ref()
        .is_none_or(|dag| run.plan.definition().id == *dag)
        && (filter.states.is_empty() || filter.states.contains(&run.state))
        && (filter.kinds.is_empty() || filter.kinds.contains(&run.kind))
        && filter.from.is_none_or(|from| run.start >= from)
        && filter.to.is_none_or(|to| run.start <= to)
}

fn bulk_command(action: &BulkAction, select: Select, note: Option<&Arc<str>>) -> Command {
    let note = note.cloned();
    let clear = |select, only_failed, note| Command::Clear {
        select,
        around: Around {
            only_failed,
            ..Around::default()
        },
        params: None,
        version: RunVersion::Keep,
        note,
    };
    match action {
        BulkAction::RetryFailed => clear(select, true, note),
        BulkAction::Clear => clear(select, false, note),
        BulkAction::Cancel => Command::CancelRun {
            run: select.run,
            note,
        },
        BulkAction::Mark(state) => Command::Mark {
            select,
            around: Around::default(),
            state: *state,
            note,
        },
    }
}
