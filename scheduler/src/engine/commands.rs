//! What people ask for. A command is worked out first, on how things stand; only then is anything changed, and only if
//! it is no dry run. Its reply says exactly what changed, or why nothing did.

mod bulk;
mod fleet;
mod forget;
mod limits;
mod runs;
mod secrets;

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};
use tidemill_core::id::{DagId, nearest};
use tidemill_core::protocol::RunNo;
use tidemill_core::state::TaskState;

use super::backfill::given_params;
use super::effect::{Changed, Effect, Refusal, TaskChange};
use super::input::{BulkAction, Command, Pausable, Request, Select, Selected, Wanted};
use super::machine::Engine;
use super::run::{At, Run};
use super::world::About;

pub(super) use secrets::Heads;

type Answer = Result<Changed, Refusal>;

/// Who asks, what they saw, and whether they mean it.
#[derive(Clone, Copy)]
struct Asking<'a> {
    by: &'a Arc<str>,
    seen: Option<u32>,
    dry_run: bool,
}

impl Engine {
    /// Answers a command.
    pub(super) fn ask(&mut self, request: Request) {
        let Request {
            id,
            by,
            seen,
            dry_run,
            command,
        } = request;
        let asking = Asking {
            by: &by,
            seen,
            dry_run,
        };
        let result = self.answer(&command, asking);
        if !dry_run && !matches!(result, Err(Refusal::Load(_))) {
            self.note_command(&by, &command, &result);
        }
        self.world.effects.push(Effect::Reply { to: id, result });
    }

    fn answer(&mut self, command: &Command, asking: Asking<'_>) -> Answer {
        match command {
            Command::Trigger(trigger) => self.trigger(trigger, asking),
            Command::Clear { select, around, .. } => {
                self.fresh(select.run, seen_instance(select), asking.seen)?;
                self.clear(command, select, *around, asking)
            }
            Command::Mark {
                select,
                around,
                state,
                note,
            } => {
                self.fresh(select.run, seen_instance(select), asking.seen)?;
                self.mark(select, *around, *state, (note.as_ref(), asking))
            }
            Command::CancelRun { run, note } => self.cancel_run(*run, note.as_ref(), asking),
            Command::CancelAttempt { of } => self.cancel_attempt(*of, asking),
            Command::Forget { of, note } => self.forget(*of, note, asking),
            Command::Pause { what, pause } => self.pause(what, *pause, asking),
            Command::SetPool {
                name,
                slots,
                holds_deferred,
                note,
            } => self.set_pool(name, *slots, *holds_deferred, (note.as_ref(), asking)),
            Command::RemovePool { name } => self.remove_pool(name, asking),
            Command::SetConnection(set) => self.set_connection(set, asking),
            Command::RemoveConnection { name } => self.remove_connection(name, asking),
            Command::SetVariable(set) => self.set_variable(set, asking),
            Command::RemoveVariable { name } => self.remove_variable(name, asking),
            Command::RevealVariable { name } => self.reveal_variable(name, asking),
            Command::Reseal {
                connections,
                variables,
            } => self.reseal(connections, variables, asking),
            Command::Reprioritise {
                run,
                priority,
                pool,
            } => self.reprioritise(*run, *priority, pool.as_ref(), asking),
            Command::Backfill(ask) => {
                let (dag, plan) = self.newest(&ask.dag)?;
                let params = given_params(&self.world.plans[plan as usize], &ask.params)?;
                if asking.dry_run {
                    let plan = Arc::clone(&self.world.plans[plan as usize]);
                    let dates = self.plan_backfill(dag, &plan, ask)?;
                    return Ok(Changed {
                        dates,
                        ..Changed::default()
                    });
                }
                self.start_backfill(dag, ask, params, asking.by)
            }
            Command::CancelBackfill { backfill } => self.end_backfill(*backfill, asking),
            Command::Answer { of, choice } => self.answer_approval(*of, choice, asking),
            Command::Note { run, task, text } => self.write_note(*run, task.as_ref(), text, asking),
            Command::Bulk {
                filter,
                action,
                note,
            } => self.bulk(filter, action, (note.as_ref(), asking)),
            Command::Drain { worker, drain } => self.drain_worker(worker, *drain, asking),
            Command::AssetChanged { asset } => {
                if !asking.dry_run {
                    self.world.asset_changed(asset, None);
                }
                Ok(Changed::default())
            }
            Command::RemoveDag { dag } => self.remove_dag(dag, asking),
        }
    }

    fn note_command(&mut self, by: &Arc<str>, command: &Command, result: &Answer) {
        let (action, dag, run, target) = subject(command);
        let dag = dag
            .cloned()
            .or_else(|| Some(self.runs.get(&run?)?.plan.definition().id.clone()));
        let target = run
            .and_then(|run| self.runs.get(&run))
            .map_or(target, |run| run.path());
        let mut details = match result {
            Ok(changed) => json!({
                "runs_made": changed.runs_made.iter().map(|(_, name)| name).collect::<Vec<_>>(),
                "runs": changed.runs.len(), "tasks": changed.tasks.len(), "remarks": changed.remarks,
                "changed": changed.tasks.iter().take(100).map(|change| {
                    json!([change.of.run, change.name, change.of.map_index, change.from, change.to])
                }).collect::<Vec<_>>(),
            }),
            Err(refusal) => json!({ "refused": refusal.to_string() }),
        };
        if let (Some(note), Value::Object(details)) = (note_of(command), &mut details) {
            details.insert("note".to_owned(), json!(note));
        }
        let about = About {
            dag: dag.as_ref(),
            run,
            details: &details,
        };
        self.world.audit(by, action, target, about);
    }

    /// A run, or the wish to have it read back.
    fn at_hand(&self, run: RunNo) -> Result<&Run, Refusal> {
        if run.0 <= 0 || run.0 > self.world.highest.run {
            return Err(Refusal::run(run));
        }
        self.runs
            .get(&run)
            .map(AsRef::as_ref)
            .ok_or(Refusal::Load(Box::new(Wanted::Runs(vec![run]))))
    }

    /// Makes sure that runs that may have been let go of are at hand: what a command does not name it cannot miss.
    pub(super) fn read_back(&self, wanted: Wanted) -> Result<(), Refusal> {
        let known = self
            .world
            .read_back
            .as_ref()
            .is_some_and(|read| read.wanted == wanted);
        if known || self.world.complete {
            Ok(())
        } else {
            Err(Refusal::Load(Box::new(wanted)))
        }
    }

    /// Refuses what was written against an older state.
    fn fresh(&self, no: RunNo, of: Option<(&str, i32)>, seen: Option<u32>) -> Result<(), Refusal> {
        let run = self.at_hand(no)?;
        let Some(seen) = seen else {
            return Ok(());
        };
        let instance = of.and_then(|(name, index)| {
            let pos = u32::try_from(run.plan.definition().position(name)?).ok()?;
            let slot = run.slot(At { pos, index })?;
            let touched = slot.detail().and_then(|detail| detail.touched.clone());
            Some((slot.edits, touched, format!("it is {} now", slot.state)))
        });
        let (now, touched, stands) = instance.unwrap_or_else(|| {
            (
                run.edits,
                run.touched.clone(),
                format!("the run is {} now", run.state),
            )
        });
        if now == seen {
            return Ok(());
        }
        Err(Refusal::Stale {
            now,
            touched,
            stands,
        })
    }

    fn dag_named(&self, id: &DagId) -> Result<u32, Refusal> {
        self.world
            .dag_by_id
            .get(id)
            .copied()
            .ok_or_else(|| Refusal::Unknown {
                what: "DAG",
                name: id.to_string(),
                nearest: nearest(id.as_str(), self.world.dag_by_id.keys().map(DagId::as_str))
                    .map(str::to_owned),
            })
    }

    fn newest(&self, id: &DagId) -> Result<(u32, u32), Refusal> {
        let dag = self.dag_named(id)?;
        let plan = self.world.dag(dag).newest;
        plan.map(|plan| (dag, plan))
            .ok_or_else(|| Refusal::invalid(format!("the DAG `{id}` was removed")))
    }

    fn remove_dag(&mut self, id: &DagId, asking: Asking<'_>) -> Answer {
        let (dag, _) = self.newest(id)?;
        let of = self.world.dag(dag);
        stale(of.edits, of.touched.as_ref(), asking.seen)?;
        let waiting: Vec<RunNo> = of.queued.iter().map(|(.., run)| *run).collect();
        if !asking.dry_run {
            let touch = self.world.touch(asking.by, "removed");
            let of = self.world.dag_mut(dag);
            of.newest = None;
            of.edits += 1;
            of.touched = Some(touch);
            self.world.take_effect(dag);
            let why: Arc<str> = "the DAG was removed".into();
            for run in &waiting {
                self.cancel(*run, &why);
            }
        }
        Ok(Changed {
            runs: waiting,
            ..Changed::default()
        })
    }
}

fn stale(
    now: u32,
    touched: Option<&tidemill_store::record::Touch>,
    seen: Option<u32>,
) -> Result<(), Refusal> {
    match seen {
        Some(seen) if seen != now => Err(Refusal::Stale {
            now,
            touched: touched.cloned(),
            stands: "it is not as you saw it".to_owned(),
        }),
        _ => Ok(()),
    }
}

fn changes_to(run: &Run, which: &BTreeSet<At>, to: TaskState) -> Vec<TaskChange> {
    let changes = which.iter().filter_map(|at| {
        Some(TaskChange {
            of: run.of(*at),
            name: run.plan.spec(at.pos).id.clone(),
            from: run.slot(*at)?.state,
            to,
        })
    });
    changes.collect()
}

/// The one instance that a selection names, if it is one.
fn seen_instance(select: &Select) -> Option<(&str, i32)> {
    match &select.tasks {
        Selected::Tasks(tasks) => match tasks.as_slice() {
            [(name, index)] => Some((name.as_str(), index.unwrap_or(-1))),
            _ => None,
        },
        _ => None,
    }
}

/// Why somebody wants it, in their own words.
fn note_of(command: &Command) -> Option<&Arc<str>> {
    match command {
        Command::Trigger(ask) => ask.note.as_ref(),
        Command::Forget { note, .. } => Some(note),
        Command::Clear { note, .. }
        | Command::Mark { note, .. }
        | Command::CancelRun { note, .. }
        | Command::SetPool { note, .. }
        | Command::Bulk { note, .. } => note.as_ref(),
        _ => None,
    }
}

/// What a command is about, for the audit log.
fn subject(command: &Command) -> (&'static str, Option<&DagId>, Option<RunNo>, String) {
    match command {
        Command::Trigger(ask) => ("run.trigger", Some(&ask.dag), None, ask.dag.to_string()),
        Command::Clear { select, .. } => {
            ("task.clear", None, Some(select.run), select.run.to_string())
        }
        Command::Mark { select, .. } => {
            ("task.mark", None, Some(select.run), select.run.to_string())
        }
        Command::CancelRun { run, .. } => ("run.cancel", None, Some(*run), run.to_string()),
        Command::CancelAttempt { of } => ("attempt.cancel", None, Some(of.run), of.run.to_string()),
        Command::Forget { of, .. } => ("task.forget", None, Some(of.run), of.run.to_string()),
        Command::Pause { what, .. } => match what {
            Pausable::Dag(dag) => ("dag.pause", Some(dag), None, dag.to_string()),
            Pausable::Run(run) => ("run.pause", None, Some(*run), run.to_string()),
            Pausable::Pool(pool) => ("pool.pause", None, None, pool.to_string()),
            Pausable::Backfill(id) => ("backfill.pause", None, None, id.to_string()),
        },
        Command::SetPool { name, .. } => ("pool.set", None, None, name.to_string()),
        Command::RemovePool { name } => ("pool.remove", None, None, name.to_string()),
        Command::SetConnection(set) => ("connection.set", None, None, set.name.to_string()),
        Command::RemoveConnection { name } => ("connection.remove", None, None, name.to_string()),
        Command::SetVariable(set) => ("variable.set", None, None, set.name.to_string()),
        Command::RemoveVariable { name } => ("variable.remove", None, None, name.to_string()),
        Command::RevealVariable { name } => ("variable.reveal", None, None, name.to_string()),
        Command::Reseal { .. } => ("secrets.reseal", None, None, String::new()),
        Command::Reprioritise { run, .. } => {
            ("run.reprioritise", None, Some(*run), run.to_string())
        }
        Command::Backfill(ask) => ("backfill.make", Some(&ask.dag), None, ask.dag.to_string()),
        Command::CancelBackfill { backfill } => {
            ("backfill.cancel", None, None, backfill.to_string())
        }
        Command::Answer { of, .. } => ("task.answer", None, Some(of.run), of.run.to_string()),
        Command::Note { run, .. } => ("run.note", None, Some(*run), run.to_string()),
        Command::Bulk { action, .. } => match action {
            BulkAction::RetryFailed => ("bulk.retry", None, None, String::new()),
            BulkAction::Clear => ("bulk.clear", None, None, String::new()),
            BulkAction::Cancel => ("bulk.cancel", None, None, String::new()),
            BulkAction::Mark(_) => ("bulk.mark", None, None, String::new()),
        },
        Command::Drain { worker, drain } => {
            let action = if *drain {
                "worker.drain"
            } else {
                "worker.undrain"
            };
            (action, None, None, worker.to_string())
        }
        Command::AssetChanged { asset } => ("asset.change", None, None, asset.to_string()),
        Command::RemoveDag { dag } => ("dag.remove", Some(dag), None, dag.to_string()),
    }
}
