//! Commands for one run, or one task: trigger, clear, mark, cancel, answer, note.

use std::collections::BTreeSet;
use std::sync::Arc;

use tidemill_core::protocol::{InstanceRef, RunNo};
use tidemill_core::spec::TaskKind;
use tidemill_core::state::{RunType, TaskState};
use tidemill_core::time::Timestamp;
use tidemill_core::timetable::Due;
use tidemill_core::version::Version;
use tidemill_store::record::AttemptEnd;

use super::{Answer, Asking, changes_to};
use crate::engine::backfill::given_params;
use crate::engine::clear::{Clearing, armed_again};
use crate::engine::effect::{Changed, Refusal, TaskChange};
use crate::engine::input::{Around, Command, RunVersion, Select, Selected, Trigger, Wanted};
use crate::engine::machine::Engine;
use crate::engine::run::Run;
use crate::engine::runs::{NewRun, run_name};

impl Engine {
    /// Refuses a name that a run of the DAG has already.
    fn name_is_free(&self, dag: u32, ask: &Trigger) -> Result<(), Refusal> {
        if let Some(name) = &ask.name {
            run_name_is_fine(name)?;
            self.read_back(Wanted::Named {
                dag: ask.dag.clone(),
                name: Arc::clone(name),
            })?;
            if self
                .runs
                .values()
                .any(|run| run.dag == dag && run.name == *name)
            {
                return Err(Refusal::invalid(format!(
                    "the DAG has a run named `{name}` already"
                )));
            }
        }
        Ok(())
    }

    pub(super) fn trigger(&mut self, ask: &Trigger, asking: Asking<'_>) -> Answer {
        let (dag, newest) = self.newest(&ask.dag)?;
        let plan_ix = match &ask.version {
            None => newest,
            Some(version) => self.plan_of(dag, version)?,
        };
        let plan = Arc::clone(&self.world.plans[plan_ix as usize]);
        let params = given_params(&plan, &ask.params)?;
        self.name_is_free(dag, ask)?;
        let now = self.world.now.date();
        let due = match ask.covers {
            Some((start, end)) if start > end => {
                return Err(Refusal::invalid("what it covers ends before it begins"));
            }
            Some((start, end)) => Due {
                start: start.date(),
                end: end.date(),
                run_after: now,
            },
            None => Due {
                run_after: now,
                ..plan
                    .definition()
                    .schedule
                    .manual(&plan.definition().window(), now)
            },
        };
        let next = RunNo(self.world.highest.run + 1);
        let name = ask.name.clone().unwrap_or_else(|| {
            format!("{}_{next}", run_name(RunType::Manual, self.world.now)).into()
        });
        let changed = Changed {
            runs_made: vec![(next, Arc::clone(&name))],
            ..Changed::default()
        };
        if !asking.dry_run {
            self.add_run(NewRun {
                dag,
                plan: plan_ix,
                kind: RunType::Manual,
                name,
                due,
                params,
                backfill: None,
                note: ask.note.clone(),
            });
        }
        Ok(changed)
    }

    pub(super) fn clear(
        &mut self,
        command: &Command,
        select: &Select,
        around: Around,
        asking: Asking<'_>,
    ) -> Answer {
        let Command::Clear {
            params,
            version,
            note,
            ..
        } = command
        else {
            return Ok(Changed::default());
        };
        let plan = self.version_for(select.run, version)?;
        let params = match params {
            None => None,
            Some(given) => Some(given_params(&self.world.plans[plan as usize], given)?),
        };
        let run = self.at_hand(select.run)?;
        if params.as_ref().is_some_and(|params| *params != run.params) && run.is_busy() {
            return Err(Refusal::invalid(
                "attempts of the run are on, or may have left something: cancel it before it gets other params",
            ));
        }
        let runs = self.with_past_and_future(select.run, around)?;
        let mut changed = Changed::default();
        let mut writes = BTreeSet::new();
        for no in runs {
            let run = self.at_hand(no)?;
            let mut which = run.select(&select.tasks, around)?;
            run.with_setups(&mut which);
            if select.tasks != Selected::All && which.is_empty() && run.has_ended() {
                continue;
            }
            writes.extend(run.writes_again(&which));
            changed.runs.push(no);
            if asking.dry_run {
                changed
                    .tasks
                    .extend(changes_to(run, &which, TaskState::None));
                continue;
            }
            let clearing = Clearing {
                // With another version the tasks are others, too: what was not there runs as well.
                all: select.tasks == Selected::All && !around.only_failed,
                which,
                plan: Some(plan).filter(|plan| no == select.run && *plan != run.plan_ix),
                params: params.clone().filter(|_| no == select.run),
                by: Arc::clone(asking.by),
                how: "cleared".into(),
                note: note.clone(),
            };
            changed.tasks.extend(self.clear_run(no, &clearing));
        }
        changed.writes_again = writes.into_iter().collect();
        Ok(changed)
    }

    /// The plan of a version of a DAG.
    fn plan_of(&self, dag: u32, version: &Version) -> Result<u32, Refusal> {
        let found = self.world.dag(dag).plans.get(version).copied();
        found.ok_or_else(|| Refusal::Unknown {
            what: "version",
            name: version.to_string(),
            nearest: None,
        })
    }

    /// The plan that a run has after it was cleared.
    fn version_for(&self, no: RunNo, version: &RunVersion) -> Result<u32, Refusal> {
        let run = self.at_hand(no)?;
        let dag = run.dag;
        let plan = match version {
            RunVersion::Keep => run.plan_ix,
            RunVersion::Newest => self.newest(&run.plan.definition().id)?.1,
            RunVersion::This(version) => self.plan_of(dag, version)?,
        };
        if plan != run.plan_ix && run.is_busy() {
            return Err(Refusal::invalid(
                "attempts of the run are on, or may have left something: cancel it before it changes to another version",
            ));
        }
        Ok(plan)
    }

    /// The runs that a command means with the earlier or later ones of its run's DAG.
    fn with_past_and_future(&self, no: RunNo, around: Around) -> Result<Vec<RunNo>, Refusal> {
        let run = self.at_hand(no)?;
        if !around.past && !around.future {
            return Ok(vec![no]);
        }
        self.read_back(Wanted::Between {
            dag: run.plan.definition().id.clone(),
            from: if around.past {
                Timestamp::from_micros(i64::MIN)
            } else {
                run.start
            },
            to: if around.future {
                Timestamp::from_micros(i64::MAX)
            } else {
                run.start
            },
        })?;
        let mut runs: Vec<&Run> = self
            .runs
            .values()
            .map(AsRef::as_ref)
            .filter(|other: &&Run| other.dag == run.dag)
            .collect();
        runs.retain(|other| {
            other.no == no
                || (around.past && other.start < run.start)
                || (around.future && other.start > run.start)
        });
        runs.sort_unstable_by_key(|run| (run.start, run.no));
        Ok(runs.into_iter().map(|run| run.no).collect())
    }

    pub(super) fn mark(
        &mut self,
        select: &Select,
        around: Around,
        state: TaskState,
        (note, asking): (Option<&Arc<str>>, Asking<'_>),
    ) -> Answer {
        if !matches!(
            state,
            TaskState::Success | TaskState::Failed | TaskState::Skipped
        ) {
            return Err(Refusal::invalid(format!(
                "a task cannot be marked {state}; success, failed or skipped it can"
            )));
        }
        let mut changed = Changed::default();
        for no in self.with_past_and_future(select.run, around)? {
            let run = self.at_hand(no)?;
            if run.slots.is_empty() {
                return Err(Refusal::invalid(
                    "the run has not begun, so it has no tasks to mark",
                ));
            }
            let mut which = run.select(&select.tasks, around)?;
            which.retain(|at| run.slot(*at).is_some_and(|slot| slot.state != state));
            changed.runs.push(no);
            if asking.dry_run {
                changed.tasks.extend(changes_to(run, &which, state));
                let again = armed_again(run, &which, state);
                changed
                    .tasks
                    .extend(changes_to(run, &again, TaskState::None));
                continue;
            }
            let touch = self.world.touch(asking.by, &format!("marked {state}"));
            changed
                .tasks
                .extend(self.mark_run(no, &which, state, &touch));
            if let (Some(note), Some(run)) = (note, self.runs.get_mut(&no)) {
                run.note = Some(Arc::clone(note));
            }
        }
        Ok(changed)
    }

    pub(super) fn cancel_run(
        &mut self,
        no: RunNo,
        note: Option<&Arc<str>>,
        asking: Asking<'_>,
    ) -> Answer {
        self.fresh(no, None, asking.seen)?;
        let run = self.at_hand(no)?;
        if run.has_ended() {
            return Err(Refusal::invalid(format!(
                "the run has ended already: {}",
                run.state
            )));
        }
        let open = run.instances().into_iter().filter(|at| {
            run.slot(*at).is_some_and(|slot| !slot.state.is_final()) && !run.is_teardown(at.pos)
        });
        let changed = Changed {
            runs: vec![no],
            tasks: changes_to(run, &open.collect(), TaskState::Failed),
            ..Changed::default()
        };
        if !asking.dry_run {
            let touch = self.world.touch(asking.by, "cancelled");
            if let Some(run) = self.runs.get_mut(&no) {
                run.touched = Some(touch);
                run.note = note.cloned().or_else(|| run.note.take());
            }
            self.cancel(no, &format!("{} cancelled the run", asking.by).into());
        }
        Ok(changed)
    }

    pub(super) fn cancel_attempt(&mut self, of: InstanceRef, asking: Asking<'_>) -> Answer {
        let run = self.at_hand(of.run)?;
        let at = run
            .at(of)
            .ok_or_else(|| Refusal::invalid("the run has no such task"))?;
        let name = run.plan.spec(at.pos).id.clone();
        self.fresh(of.run, Some((name.as_str(), at.index)), asking.seen)?;
        let run = self.at_hand(of.run)?;
        if run.is_summary(at) {
            return Err(Refusal::invalid(format!(
                "`{name}` is many: name the instance whose attempt is to end"
            )));
        }
        let from = run.slot(at).map_or(TaskState::None, |slot| slot.state);
        if from.is_final() || from == TaskState::None {
            return Err(Refusal::invalid(format!(
                "no attempt of `{name}` is on: it is {from}"
            )));
        }
        let change = TaskChange {
            of,
            name,
            from,
            to: TaskState::Failed,
        };
        if !asking.dry_run {
            let touch = self.world.touch(asking.by, "cancelled");
            let why: Arc<str> = format!("{} cancelled it", asking.by).into();
            self.with_run(of.run, |world, run| {
                world.give_up(run, at, AttemptEnd::Cancelled, &why);
                if let Some(slot) = run.slot_mut(at) {
                    slot.retry_at = crate::engine::slot::Moment::NONE;
                    slot.detail_mut().touched = Some(touch);
                }
                world.end_undone(run, at, TaskState::Failed, Some(why));
            });
        }
        Ok(Changed {
            tasks: vec![change],
            ..Changed::default()
        })
    }

    pub(super) fn answer_approval(
        &mut self,
        of: InstanceRef,
        choice: &Arc<str>,
        asking: Asking<'_>,
    ) -> Answer {
        let run = self.at_hand(of.run)?;
        let at = run
            .at(of)
            .ok_or_else(|| Refusal::invalid("the run has no such task"))?;
        let task = run.plan.spec(at.pos);
        let TaskKind::Approval {
            choices, assignees, ..
        } = &task.kind
        else {
            return Err(Refusal::invalid(format!("`{}` asks nothing", task.id)));
        };
        let slot = run.slot(at);
        if slot.is_none_or(|slot| slot.state != TaskState::Deferred) {
            let touched = slot.and_then(|slot| slot.detail()?.touched.clone());
            let state = slot.map_or(TaskState::None, |slot| slot.state);
            return Err(Refusal::Stale {
                now: slot.map_or(0, |slot| slot.edits),
                touched,
                stands: format!("it is {state} and waits for no answer"),
            });
        }
        if !choices.iter().any(|known| **known == **choice) {
            return Err(Refusal::invalid(format!(
                "`{choice}` is none of the answers: {}",
                choices.join(", ")
            )));
        }
        if !assignees.is_empty() && !assignees.iter().any(|known| **known == **asking.by) {
            return Err(Refusal::invalid(format!(
                "only {} may answer",
                assignees.join(", ")
            )));
        }
        let rejects = matches!(&task.kind, TaskKind::Approval { rejecting, .. } if rejecting.iter().any(|known| **known == **choice));
        let to = if rejects {
            TaskState::Failed
        } else {
            TaskState::Success
        };
        let changed = changes_to(run, &BTreeSet::from([at]), to);
        if !asking.dry_run {
            let touch = self.world.touch(asking.by, "answered");
            self.with_run(of.run, |world, run| {
                if let Some(slot) = run.slot_mut(at) {
                    slot.detail_mut().touched = Some(touch);
                }
                world.answered(run, at, Some(Arc::clone(choice)), Arc::clone(asking.by));
            });
        }
        Ok(Changed {
            tasks: changed,
            ..Changed::default()
        })
    }

    pub(super) fn write_note(
        &mut self,
        no: RunNo,
        task: Option<&(tidemill_core::id::TaskId, i32)>,
        text: &Arc<str>,
        asking: Asking<'_>,
    ) -> Answer {
        let run = self.at_hand(no)?;
        let at = match task {
            None => None,
            Some((name, index)) => {
                let selected = Selected::Tasks(vec![(name.clone(), Some(*index))]);
                run.select(&selected, Around::default())?.first().copied()
            }
        };
        if !asking.dry_run
            && let Some(run) = self.runs.get_mut(&no)
        {
            match at {
                None => {
                    run.note = Some(Arc::clone(text));
                    self.world.dirty_run(run);
                }
                Some(at) => {
                    if let Some(slot) = run.slot_mut(at) {
                        slot.detail_mut().note = Some(Arc::clone(text));
                    }
                    self.world.dirty(run, at);
                }
            }
        }
        Ok(Changed::default())
    }
}

/// Airflow's grammar for the names of runs, with a bound.
fn run_name_is_fine(name: &str) -> Result<(), Refusal> {
    let fine = |c: char| c.is_ascii_alphanumeric() || "_.~:+-".contains(c);
    if name.is_empty() || name.len() > 200 || !name.chars().all(fine) || name.starts_with('.') {
        return Err(Refusal::invalid(format!(
            "`{}` cannot be a run's name: letters, digits and _ . ~ : + - are allowed, 200 at the most",
            name.chars().take(60).collect::<String>()
        )));
    }
    let ours = |kind: &RunType| name.starts_with(&format!("{kind}__"));
    if let Some(kind) = RunType::ALL.iter().find(|kind| ours(kind)) {
        return Err(Refusal::invalid(format!(
            "names that begin with `{kind}__` are given by Tidemill itself"
        )));
    }
    Ok(())
}
