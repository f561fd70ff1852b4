//! What must hold after every commit, and whenever somebody is told something.

use std::collections::{BTreeMap, BTreeSet};

use tidemill_core::protocol::{Assignment, AttemptNo, AttemptRef, InstanceRef, Report, RunNo};
use tidemill_core::spec::{Moment, TaskKind, TaskSpec};
use tidemill_core::state::{RunState, TaskState, TriggerRule};
use tidemill_scheduler::engine::{Changed, Refusal, may_follow};
use tidemill_store::record::{AttemptEnd, AttemptRow, Changes, RunRow, TaskRow, Touch};

use super::Sim;

/// What workers said of attempts, whatever became of it.
#[derive(Debug, Default)]
pub(crate) struct Truth {
    ends: BTreeMap<AttemptNo, BTreeSet<&'static str>>,
    /// Instances that a person changed with the commit that is checked.
    touched: BTreeSet<RunNo>,
    /// Instances about which something was decided with it for the first time.
    begun: BTreeSet<InstanceRef>,
    /// Runs that begin with it.
    pub(crate) runs_begun: BTreeSet<RunNo>,
    /// The last attempt of each instance.
    last: BTreeMap<InstanceRef, AttemptRow>,
    /// The jobs whose loads are on record.
    loaded: BTreeSet<String>,
}

impl Truth {
    pub(crate) fn said(&mut self, attempt: AttemptNo, report: &Report) {
        let end = match report {
            Report::Done { .. } => "success",
            Report::Skipped { .. } => "skipped",
            Report::Failed { error, .. } => match error.kind.word() {
                "skipped" => "skipped",
                "cancelled" => "cancelled",
                _ => "failed",
            },
            _ => return,
        };
        self.ends.entry(attempt).or_default().insert(end);
    }
}

/// A reference to an instance, as people write it.
pub(crate) fn named(row: &TaskRow) -> String {
    format!("run {} `{}`[{}]", row.of.run, row.name, row.of.map_index)
}

impl Sim {
    /// The task of a row in the version that its run has.
    pub(crate) fn task_of(&self, row: &TaskRow) -> Option<&TaskSpec> {
        let run = self.store.rows.runs.get(&row.of.run)?;
        let spec = self.specs.get(&(run.dag.clone(), run.version.clone()))?;
        spec.definition.task(row.name.as_str())
    }

    /// What has to be so for the step from what is stored to what is to be stored.
    pub(crate) fn before_commit(&mut self, changes: &Changes) {
        let rows = &self.store.rows;
        let touch = |row: &RunRow| rows.runs.get(&row.id).and_then(|old| old.touched.clone());
        let newer = |row: &&RunRow| touch(row) != row.touched;
        self.truth.touched = changes
            .runs
            .iter()
            .filter(newer)
            .map(|row| row.id)
            .collect();
        let begins = |row: &&RunRow| {
            let old = rows.runs.get(&row.id);
            row.state == RunState::Running && old.is_none_or(|old| old.state != RunState::Running)
        };
        let runs = changes.new_runs.iter().chain(&changes.runs);
        self.truth.runs_begun = runs.filter(begins).map(|row| row.id).collect();
        let undecided = |row: &&TaskRow| {
            let old = rows.tasks.get(&row.of);
            old.is_none_or(|old| old.state == TaskState::None)
        };
        let all = changes.new_tasks.iter().chain(&changes.tasks);
        self.truth.begun = all.filter(undecided).map(|row| row.of).collect();
        for row in &changes.tasks {
            let Some(old) = rows.tasks.get(&row.of) else {
                continue;
            };
            let whole = row.instances.is_some() || old.instances.is_some();
            let by_hand = self.truth.touched.contains(&row.of.run);
            if old.state.is_final() && old.state != row.state && !whole && !by_hand {
                let shrunk = row.state == TaskState::Removed || old.state == TaskState::Removed;
                assert!(
                    shrunk,
                    "{} had ended {} and is {} now, and nobody asked for that",
                    named(row),
                    old.state,
                    row.state
                );
            }
            assert!(
                whole
                    || by_hand
                    || old.state == row.state
                    || old.state == TaskState::Removed
                    || reachable(old.state, row.state),
                "{} went from {} to {}",
                named(row),
                old.state,
                row.state
            );
            if old.attempt != row.attempt && row.state == TaskState::Queued {
                self.check_wait(old, row, changes);
            }
        }
    }

    /// A task is tried again no earlier than was decided, and no more often than it may be.
    fn check_wait(&self, old: &TaskRow, row: &TaskRow, changes: &Changes) {
        let touch = self.store.rows.details.get(&row.of);
        let touch: Option<&Touch> = touch.and_then(|detail| detail.touched.as_ref());
        let Some(last) = self.truth.last.get(&row.of) else {
            return;
        };
        let again = changes
            .task_details
            .iter()
            .any(|detail| detail.of == row.of && detail.touched.as_ref() != touch);
        if old.state != TaskState::UpForRetry || again || row.number != last.number + 1 {
            return;
        }
        if let (Some(retry), Some(queued)) = (last.retry_at, row.queued_at) {
            assert!(
                queued >= retry,
                "{} was to be tried again at {retry} and began to at {queued}",
                named(row)
            );
        }
        let run = self.store.rows.runs.get(&row.of.run);
        let task = self.task_of(row);
        // That it is tried again may have been decided by the version that its run had before.
        let Some(task) = task.filter(|_| run.is_some_and(|run| run.touched.is_none())) else {
            return;
        };
        assert!(
            row.tries <= task.retry.times,
            "{} failed {} times and may be tried {} times more",
            named(row),
            row.tries,
            task.retry.times
        );
        assert!(
            row.losses <= self.config.losses_max,
            "{} was lost {} times and is tried again",
            named(row),
            row.losses
        );
    }

    /// What has to be so now that this is stored.
    pub(crate) fn after_commit(&mut self, changes: &Changes) {
        for row in &changes.attempts {
            self.check_attempt(row, changes);
            self.truth.last.insert(row.of, row.clone());
        }
        for row in &changes.outputs {
            let end = self
                .store
                .rows
                .attempts
                .get(&row.attempt)
                .map(|row| row.end);
            assert!(
                matches!(end, Some(AttemptEnd::Success | AttemptEnd::Failed)),
                "an output is on record of attempt {}, which ended {end:?}",
                row.attempt
            );
        }
        for row in &changes.loads {
            if let Some(job) = &row.load.job_id {
                assert!(
                    self.truth.loaded.insert(job.clone()),
                    "what the job {job} loaded is on record twice"
                );
            }
        }
        for row in changes.new_tasks.iter().chain(&changes.tasks) {
            self.check_rule(row);
            if row.state == TaskState::Failed {
                self.check_alert(row, changes);
            }
        }
        for row in changes.new_runs.iter().chain(&changes.runs) {
            self.check_run(row);
        }
        self.check_limits(changes);
    }

    /// An attempt ended as its worker said, or as we decided; nobody speaks for another.
    fn check_attempt(&self, row: &AttemptRow, changes: &Changes) {
        let of = &self.store.rows.tasks[&row.of];
        let people = self
            .task_of(of)
            .is_some_and(|task| matches!(task.kind, TaskKind::Approval { .. }));
        let said = self.truth.ends.get(&row.id);
        let claims = |word| said.is_some_and(|said| said.contains(word));
        let word = row.end.word();
        let fine = match row.end {
            AttemptEnd::Success | AttemptEnd::Failed | AttemptEnd::Skipped => {
                people || claims(word)
            }
            _ => true,
        };
        assert!(
            fine,
            "attempt {} of {} is on record as {word}, and its worker said {said:?}",
            row.id,
            named(of)
        );
        let live = matches!(
            of.state,
            TaskState::Queued | TaskState::Running | TaskState::Deferred
        );
        assert!(
            !(live && of.attempt == row.id),
            "attempt {} of {} has ended and is {}",
            row.id,
            named(of),
            of.state
        );
        let again = changes.cleanups_done.contains(&row.id)
            && self.store.rows.cleanups.contains_key(&row.id);
        assert!(
            !again,
            "the cleanup of attempt {} is done and is there",
            row.id
        );
    }

    /// A task that may run has what its rule asks for, seen with other eyes than the engine's.
    fn check_rule(&mut self, row: &TaskRow) {
        let begins = matches!(
            row.state,
            TaskState::Scheduled | TaskState::Queued | TaskState::Running | TaskState::Deferred
        );
        let by_hand = self.truth.touched.contains(&row.of.run);
        if !begins || by_hand || row.instances.is_some() {
            return;
        }
        let fresh = self.truth.begun.contains(&row.of);
        let Some(task) = self
            .task_of(row)
            .filter(|task| fresh && !task.upstream.is_empty())
        else {
            return;
        };
        let (rule, grouped) = (task.rule, task.group.is_some());
        let mut states = Vec::new();
        for up in &task.upstream {
            let instances = self.instances_named(row.of.run, up.task.as_str());
            let own = instances
                .iter()
                .find(|other| other.of.map_index == row.of.map_index);
            let together =
                grouped && row.of.map_index >= 0 && self.is_in_group(row.of.run, up.task.as_str());
            match own.filter(|_| together) {
                Some(own) => states.push(own.state),
                None => states.extend(instances.iter().map(|row| row.state)),
            }
        }
        let fine = may_run(rule, &states);
        assert!(
            fine,
            "{} is {} although its rule {rule} does not hold for {states:?}",
            named(row),
            row.state
        );
        self.history.cover("rule evaluated again");
    }

    fn is_in_group(&self, run: RunNo, task: &str) -> bool {
        let run = &self.store.rows.runs[&run];
        let spec = &self.specs[&(run.dag.clone(), run.version.clone())];
        spec.definition
            .task(task)
            .is_some_and(|task| task.group.is_some())
    }

    /// The rows that stand for work of a task: itself, or its instances once there are some.
    pub(crate) fn instances_named(&self, run: RunNo, task: &str) -> Vec<&TaskRow> {
        let all = self.store.rows.instances(run);
        let all: Vec<&TaskRow> = all.filter(|row| row.name == *task).collect();
        let whole = all.iter().find(|row| row.of.map_index < 0);
        let count = whole.and_then(|row| row.instances).unwrap_or(0);
        if count == 0 {
            return all.into_iter().filter(|row| row.of.map_index < 0).collect();
        }
        all.into_iter()
            .filter(|row| row.of.map_index >= 0)
            .collect()
    }

    /// Whoever is to be told of a failure is, in the same commit.
    fn check_alert(&mut self, row: &TaskRow, changes: &Changes) {
        let ended = changes
            .attempts
            .iter()
            .find(|attempt| attempt.of == row.of && attempt.id == row.attempt);
        let Some(ended) = ended else {
            return;
        };
        let failed = matches!(ended.end, AttemptEnd::Failed | AttemptEnd::Lost)
            && ended.error_kind.is_some()
            // One that was to be tried again and did not come to that was ended by a person, or with its run.
            && ended.retry_at.is_none();
        let Some(run) = self.store.rows.runs.get(&row.of.run).filter(|_| failed) else {
            return;
        };
        let spec = &self.specs[&(run.dag.clone(), run.version.clone())];
        if !spec
            .definition
            .alerts
            .iter()
            .any(|rule| rule.on == Moment::Failure)
        {
            return;
        }
        let start = format!(
            "failure/{}/{}/{}/{}/",
            row.of.run, row.name, row.of.map_index, row.attempt
        );
        let told = self
            .store
            .rows
            .outbox
            .keys()
            .any(|key| key.starts_with(&start));
        assert!(told, "{} failed and nobody is told", named(row));
        self.history.cover("alert looked up");
    }

    /// Who is given work can look it up.
    pub(crate) fn check_given(&self, what: &Assignment) {
        let row = self.store.rows.tasks.get(&what.attempt.of);
        assert!(
            row.is_some_and(|row| row.attempt >= what.attempt.attempt),
            "{:?} was given out before it was stored",
            what.attempt
        );
    }

    /// What a worker was told is on record, is.
    pub(crate) fn check_recorded(&self, attempt: AttemptRef, report: &Report) {
        let ends = matches!(
            report,
            Report::Done { .. } | Report::Skipped { .. } | Report::Failed { .. }
        );
        assert!(
            !ends || self.store.rows.attempts.contains_key(&attempt.attempt),
            "a worker was told that the end of {attempt:?} is on record, and it is not"
        );
    }

    /// Nothing is launched that is not on record as being tried.
    pub(crate) fn check_intent(&self, attempt: AttemptRef) {
        let row = self.store.rows.tasks.get(&attempt.of);
        assert!(
            row.is_some_and(|row| row.attempt >= attempt.attempt),
            "{attempt:?} launches something and is not on record"
        );
    }

    /// Nobody else is at work on the same instance.
    pub(crate) fn check_alone(&self, worker: usize, attempt: AttemptRef) {
        for (nth, other) in self.workers.iter().enumerate() {
            if nth == worker || !other.up || other.is_fenced(self.now, self.config.lease) {
                continue;
            }
            for (held, how) in &other.held {
                assert!(
                    held.of != attempt.of || !how.is_at_work(),
                    "w{worker} begins {attempt:?} while {} is at work on {held:?}",
                    other.name
                );
            }
        }
    }

    /// What a person was told that is done, is.
    pub(crate) fn answered(&mut self, to: u64, result: &Result<Changed, Refusal>) {
        let Ok(changed) = result else {
            return;
        };
        let asks_only = self.people.asks_only.remove(&to);
        for (run, name) in changed.runs_made.iter().filter(|_| !asks_only) {
            let row = self.store.rows.runs.get(run);
            assert!(
                row.is_some_and(|row| row.name == *name),
                "a person was told that run {run} is there, and it is not"
            );
        }
    }
}

/// Whether states can follow one another without a person.
fn reachable(from: TaskState, to: TaskState) -> bool {
    let mut open = vec![from];
    let mut seen = Vec::new();
    while let Some(state) = open.pop() {
        if state == to {
            return true;
        }
        if seen.contains(&state) || state.is_final() {
            continue;
        }
        seen.push(state);
        let next = TaskState::ALL.iter().copied();
        open.extend(next.filter(|next| *next != TaskState::None && may_follow(state, *next)));
    }
    false
}

/// Whether a task may run by its rule when what is before it stands like this.
fn may_run(rule: TriggerRule, states: &[TaskState]) -> bool {
    use TaskState::{Failed, Removed, Skipped, Success, UpstreamFailed};
    let all = |these: &[TaskState]| states.iter().all(|state| these.contains(state));
    let any = |these: &[TaskState]| states.iter().any(|state| these.contains(state));
    let done = states.iter().all(|state| state.is_final());
    match rule {
        TriggerRule::Always => true,
        TriggerRule::AllSuccess => all(&[Success, Removed]),
        TriggerRule::AllFailed => all(&[Failed, UpstreamFailed, Removed]),
        TriggerRule::AllDone | TriggerRule::AllDoneSetupSuccess => done,
        TriggerRule::AllSkipped => all(&[Skipped]),
        TriggerRule::OneSuccess => any(&[Success]),
        TriggerRule::OneFailed => any(&[Failed, UpstreamFailed]),
        TriggerRule::OneDone => any(&[Success, Failed]),
        TriggerRule::NoneFailed => all(&[Success, Skipped, Removed]),
        TriggerRule::NoneFailedMinOneSuccess => {
            all(&[Success, Skipped, Removed]) && any(&[Success])
        }
        TriggerRule::NoneSkipped => done && !any(&[Skipped]),
        TriggerRule::AllDoneMinOneSuccess => done && any(&[Success]) && !any(&[Skipped]),
    }
}
