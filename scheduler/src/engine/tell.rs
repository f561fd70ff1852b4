//! Who is told what when something ends: alerts in the outbox, changed assets, the audit log.

use std::sync::Arc;

use serde_json::{Value, json};
use tidemill_core::spec::Moment as Occasion;
use tidemill_core::state::{RunState, TaskState};
use tidemill_core::time::Timestamp;
use tidemill_store::record::{AssetEventRow, WaitingAssetRow};

use super::plan::Pos;
use super::run::{At, Run};
use super::slot::{Flags, Moment, Slot};
use super::world::{About, ENGINE, Todo, World};

impl World {
    /// A task did what it should.
    pub(super) fn task_succeeded(&mut self, run: &mut Run, at: At) {
        if !run.plan.task(at.pos).told {
            return;
        }
        let plan = Arc::clone(&run.plan);
        let outlets = &plan.spec(at.pos).touches.outlets;
        for asset in outlets {
            self.asset_changed(asset.uri(), Some((run, at)));
        }
        if !plan.spec(at.pos).alerts.is_empty() {
            self.alert_task(run, at, Occasion::Success, None);
        }
    }

    /// A task failed for good.
    pub(super) fn task_failed(&mut self, run: &mut Run, at: At) {
        self.alert_task(run, at, Occasion::Failure, None);
        self.fail_fast(run, at);
    }

    /// A task failed and is tried again.
    pub(super) fn task_retries(&mut self, run: &mut Run, at: At, retry_at: Timestamp) {
        self.alert_task(run, at, Occasion::Retry, Some(retry_at));
    }

    /// A run came to its end.
    pub(super) fn run_ended(&mut self, run: &mut Run) {
        let (occasion, failed) = match run.state {
            RunState::Success => (Occasion::Success, false),
            RunState::Failed => (Occasion::Failure, true),
            _ => return,
        };
        // Whoever is told of a failed task is not told of its run as well; of a run that took too long it was told then.
        // What failed before the run was cleared and began again was told of another end.
        let told = failed && (run.why.is_some() || run.has_failed_since_it_began());
        if !told {
            self.alert_run(run, occasion);
        }
    }

    pub(super) fn run_quarantined(&mut self, run: &Run, why: &str) {
        self.alert_run(run, Occasion::Failure);
        let target = run.path();
        let details = json!({ "why": why });
        let about = About {
            dag: Some(&run.plan.definition().id),
            run: Some(run.no),
            details: &details,
        };
        self.audit(&ENGINE.into(), "run.quarantine", target, about);
    }

    /// A run is not done although it should be.
    pub(super) fn run_late(&mut self, run: &Run) {
        if !run.has_ended() {
            self.alert_run(run, Occasion::Deadline);
        }
    }

    /// A task is not done although it should be.
    pub(super) fn task_late(&mut self, run: &mut Run, pos: Pos) {
        let at = At::whole(pos);
        let open = run.slots.is_empty() || !run.state_of(pos).is_final();
        if !run.has_ended() && open {
            if let Some(slot) = run.slot_mut(at) {
                slot.flags.set(Flags::LATE);
            }
            self.alert_task(run, at, Occasion::Deadline, None);
        }
    }

    fn alert_task(&mut self, run: &Run, at: At, on: Occasion, retry_at: Option<Timestamp>) {
        let definition = run.plan.definition();
        let task = run.plan.spec(at.pos);
        // What a DAG is to be told of its success and its lateness is the run's affair.
        let of_dag = matches!(on, Occasion::Failure | Occasion::Retry);
        let of_dag = definition.alerts.iter().filter(|_| of_dag);
        let rules: Vec<_> = task
            .alerts
            .iter()
            .chain(of_dag)
            .filter(|rule| rule.on == on)
            .collect();
        if rules.is_empty() {
            return;
        }
        let slot = run.slot(at);
        let attempt = slot.map_or(0, |slot| slot.attempt.0);
        let edits = slot.map_or(0, |slot| slot.edits);
        for rule in rules {
            // That it is late is told once, whatever happened to it since.
            let which = if on == Occasion::Deadline {
                String::new()
            } else {
                format!("{attempt}/{edits}")
            };
            let key = format!(
                "{on}/{}/{}/{}/{which}/{}",
                run.no, task.id, at.index, rule.alert.route
            );
            let body = json!({
                "on": on, "dag": definition.id, "run": run.name, "run_no": run.no, "task": task.id,
                "map_index": at.index, "attempt": attempt, "number": slot.map_or(0, |slot| slot.number),
                "why": slot.and_then(|slot| slot.detail()).and_then(|detail| detail.why.as_deref()),
                "retry_at": retry_at, "note": rule.alert.note,
            });
            self.tell(
                key,
                (&rule.alert.route, rule.alert.severity),
                Some(run.no),
                &body,
            );
        }
    }

    pub(super) fn alert_run(&mut self, run: &Run, on: Occasion) {
        let definition = run.plan.definition();
        for rule in definition.alerts.iter().filter(|rule| rule.on == on) {
            let edits = if on == Occasion::Deadline {
                0
            } else {
                run.edits
            };
            let key = format!("{on}/{}/{edits}/{}", run.no, rule.alert.route);
            let body = json!({
                "on": on, "dag": definition.id, "run": run.name, "run_no": run.no,
                "why": run.quarantine.as_deref().or(run.why.as_deref()), "note": rule.alert.note,
            });
            self.tell(
                key,
                (&rule.alert.route, rule.alert.severity),
                Some(run.no),
                &body,
            );
        }
    }

    /// An asset changed: it is on record, and who waits for it may begin.
    pub(super) fn asset_changed(&mut self, asset: &str, by: Option<(&Run, At)>) {
        self.highest.asset_event += 1;
        let id = self.highest.asset_event;
        let asset: Arc<str> = asset.into();
        self.changes.asset_events.push(AssetEventRow {
            id,
            asset: Arc::clone(&asset),
            by: by.map(|(run, at)| run.of(at)),
            at: self.now,
        });
        let Some(consumers) = self.consumers.get(&asset).cloned() else {
            return;
        };
        for dag in consumers {
            let name = self.dag(dag).id.clone();
            let waits = &mut self.dags[dag as usize].waits;
            let wait = waits
                .entry(Arc::clone(&asset))
                .or_insert_with(|| WaitingAssetRow {
                    dag: name,
                    asset: Arc::clone(&asset),
                    first_event: id,
                    last_event: id,
                    count: 0,
                });
            wait.last_event = id;
            wait.count += 1;
            self.dirty_waits.insert((dag, Arc::clone(&asset)));
            self.todo.push_back(Todo::Assets(dag));
        }
    }

    /// Writes down that a report came too late.
    pub(super) fn superseded(&mut self, worker: &Arc<str>, run: Option<&Run>, details: &Value) {
        let target = run.map(Run::path).unwrap_or_default();
        let about = About {
            dag: run.map(|run| &run.plan.definition().id),
            run: run.map(|run| run.no),
            details,
        };
        self.audit(worker, "report.superseded", target, about);
    }
}

impl Run {
    /// DAG and run, for people.
    pub(super) fn path(&self) -> String {
        format!("{} / {}", self.plan.definition().id, self.name)
    }

    fn has_failed_since_it_began(&self) -> bool {
        let began = self.started_at.map_or(Moment::NONE, Moment::from);
        // A mapped task as a whole may count as failed because of one of its instances that failed before.
        self.instances().into_iter().any(|at| {
            let failed = |slot: &Slot| slot.state == TaskState::Failed && slot.since >= began;
            !self.is_summary(at) && self.slot(at).is_some_and(failed)
        })
    }
}
