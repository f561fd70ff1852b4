//! An attempt from its first report to its end, and what follows from that end.

use std::sync::Arc;
use std::time::Duration;

use tidemill_core::operator::{ErrorKind, TaskError};
use tidemill_core::protocol::{AttemptRef, CheckResult, Load, Report, Verdict};
use tidemill_core::spec::TaskKind;
use tidemill_core::state::TaskState;
use tidemill_core::time::Timestamp;
use tidemill_store::record::{AttemptEnd, AttemptRow, CheckRow, LoadRow, OutputRow, Said};

use super::run::{At, Run};
use super::slot::{Moment, UNKNOWN_HANDLE};
use super::workers::WorkerIx;
use super::world::{Timer, World};

/// How long a sensor waits if its author says nothing.
const SENSOR_WAIT: Duration = Duration::from_secs(7 * 24 * 3600);

/// Why an attempt ended.
#[derive(Debug, Clone, Default)]
pub(super) struct Cause {
    pub(super) kind: Option<ErrorKind>,
    pub(super) message: Option<Arc<str>>,
    pub(super) help: Option<Arc<str>>,
}

impl Cause {
    pub(super) fn plain(why: &Arc<str>) -> Self {
        Self {
            message: Some(Arc::clone(why)),
            ..Self::default()
        }
    }

    fn of(error: &TaskError) -> Self {
        Self {
            kind: Some(error.kind),
            message: Some(error.message.as_str().into()),
            help: (!error.help.is_empty()).then(|| error.help.as_str().into()),
        }
    }
}

impl World {
    /// What a worker says about an attempt that is on.
    pub(super) fn report(&mut self, run: &mut Run, at: At, report: Report) {
        if matches!(
            report,
            Report::Done { .. } | Report::Skipped { .. } | Report::Failed { .. }
        ) {
            // What is over at once has not said that it began: one report, one commit.
            self.started(run, at);
        }
        match report {
            Report::Started => self.started(run, at),
            Report::Deferred { handle, why, .. } => self.deferred(run, at, handle, why),
            Report::Done {
                output,
                loads,
                checks,
            } => {
                self.loaded(run, at, loads);
                self.checked(run, at, checks);
                self.done(run, at, output);
            }
            Report::Skipped { why } => {
                let cause = Cause::plain(&why);
                self.end_attempt(run, at, AttemptEnd::Skipped, cause);
                self.end_undone(run, at, TaskState::Skipped, Some(why));
            }
            Report::Failed {
                error,
                job_ended,
                loads,
                checks,
            } => {
                self.loaded(run, at, loads);
                self.checked(run, at, checks);
                self.failed(run, at, &error, job_ended);
            }
            Report::HandedOver => self.handed_over(run, at),
            Report::Refused { why } => self.unbegun(run, at, &why),
            // Dealt with by the cleanup that it belongs to.
            Report::Stopped => {}
        }
    }

    fn started(&mut self, run: &mut Run, at: At) {
        let now = self.now;
        let Some(slot) = run.slot_mut(at) else {
            return;
        };
        if slot.state != TaskState::Queued {
            return;
        }
        // Another leader's clock may be behind: nothing ends before it began.
        slot.started_at = Moment::from(now).max(slot.queued_at);
        slot.requeues = 0;
        self.enter(run, at, TaskState::Running);
        self.start_clock(run, at);
    }

    /// From now on the attempt's time is counted. A sensor's is that of its whole wait, over all its attempts.
    fn start_clock(&mut self, run: &mut Run, at: At) {
        let task = run.plan.task(at.pos);
        if !task.timed {
            return;
        }
        let timeout = run
            .plan
            .spec(at.pos)
            .timeout
            .or(task.sensor.then_some(SENSOR_WAIT));
        let Some(timeout) = timeout else {
            return;
        };
        let until = self.now.after(timeout);
        let no = run.no;
        if let Some(slot) = run.slot_mut(at) {
            let until = slot.deadline.get().unwrap_or(until);
            slot.deadline = Moment::from(until);
            self.timer(until, Timer::Attempt(no, at));
        }
    }

    fn deferred(&mut self, run: &mut Run, at: At, handle: Arc<str>, why: Arc<str>) {
        let Some(slot) = run.slot(at) else {
            return;
        };
        let from = slot.state;
        if from != TaskState::Deferred {
            if from == TaskState::Queued {
                self.started(run, at);
            }
            self.park(run, at);
            if let Some(worker) = run.slot(at).and_then(|slot| slot.worker) {
                self.workers.give_slot(worker);
            }
            self.enter(run, at, TaskState::Deferred);
        }
        if let Some(slot) = run.slot_mut(at) {
            let known = slot.detail();
            let same = known.is_some_and(|detail| {
                detail.handle.as_ref() == Some(&handle) && detail.why.as_ref() == Some(&why)
            });
            if !same {
                let detail = slot.detail_mut();
                detail.handle = Some(handle);
                detail.why = Some(why);
                self.dirty(run, at);
            }
        }
    }

    fn done(&mut self, run: &mut Run, at: At, output: Option<Arc<str>>) {
        let plan = Arc::clone(&run.plan);
        let task = plan.task(at.pos);
        if let Some(output) = &output {
            let listed = !task.listed_by.is_empty();
            if listed {
                run.lists.insert((task.no, at.index), Arc::clone(output));
            }
            self.output(run, at, Arc::clone(output), listed);
        }
        let mut closes = false;
        if task.speaks {
            let said = said(&plan.spec(at.pos).kind, output.as_ref());
            closes = said == Some(Said::Pass(false))
                && plan.spec(at.pos).kind == TaskKind::ShortCircuit { everything: true };
            if let (Some(said), Some(slot)) = (said, run.slot_mut(at)) {
                slot.detail_mut().said = Some(said);
            }
        }
        self.end_attempt(run, at, AttemptEnd::Success, Cause::default());
        if closes {
            self.cut(run, at);
        }
        self.enter(run, at, TaskState::Success);
        self.task_succeeded(run, at);
    }

    fn output(&mut self, run: &Run, at: At, value: Arc<str>, listed: bool) {
        if let Some(slot) = run.slot(at) {
            self.changes.outputs.push(OutputRow {
                attempt: slot.attempt,
                of: run.of(at),
                value,
                listed,
            });
        }
    }

    fn loaded(&mut self, run: &Run, at: At, loads: Vec<Load>) {
        let Some(slot) = run.slot(at) else {
            return;
        };
        for (load, nth) in loads.into_iter().zip(0..) {
            self.changes.loads.push(LoadRow {
                attempt: slot.attempt,
                nth,
                of: run.of(at),
                dag: run.plan.definition().id.clone(),
                load,
            });
        }
    }

    fn checked(&mut self, run: &Run, at: At, checks: Vec<CheckResult>) {
        let Some(slot) = run.slot(at) else {
            return;
        };
        for (result, nth) in checks.into_iter().zip(0..) {
            self.changes.checks.push(CheckRow {
                attempt: slot.attempt,
                nth,
                of: run.of(at),
                dag: run.plan.definition().id.clone(),
                result,
            });
        }
    }

    /// An attempt failed: the task is tried again, or has failed.
    fn failed(&mut self, run: &mut Run, at: At, error: &TaskError, job_ended: bool) {
        if error.kind == ErrorKind::Skipped {
            let why: Arc<str> = error.message.as_str().into();
            self.end_attempt(run, at, AttemptEnd::Skipped, Cause::plain(&why));
            self.end_undone(run, at, TaskState::Skipped, Some(why));
            return;
        }
        let end = match error.kind {
            ErrorKind::Cancelled => AttemptEnd::Cancelled,
            _ => AttemptEnd::Failed,
        };
        let retry_at = self.next_try(run, at, error);
        self.end_attempt(run, at, end, Cause::of(error));
        if let Some(slot) = run.slot_mut(at) {
            if job_ended {
                slot.epoch += 1;
            }
            let detail = slot.detail_mut();
            if job_ended {
                detail.handle = None;
            } else {
                detail.handle.get_or_insert_with(|| UNKNOWN_HANDLE.into());
            }
            detail.why = Some(error.message.as_str().into());
        }
        self.try_again_or_fail(run, at, retry_at);
    }

    /// When a task that failed like this is tried again, if it is.
    fn next_try(&self, run: &mut Run, at: At, error: &TaskError) -> Option<Timestamp> {
        if error.kind == ErrorKind::Lost {
            return self.next_try_after_loss(run, at);
        }
        let retry = run.plan.spec(at.pos).retry;
        let seed = seed(run, at);
        let ending = run.ending.is_some() && !run.is_teardown(at.pos);
        let slot = run.slot_mut(at)?;
        slot.tries = slot.tries.saturating_add(1);
        if ending || !error.kind.is_retried() || u32::from(slot.tries) > retry.times {
            return None;
        }
        let wait = retry.wait_after(slot.tries.into(), seed);
        Some(
            self.now
                .after(wait.max(error.retry_after.unwrap_or_default())),
        )
    }

    /// What the platform lost does not count against the task's own retries.
    fn next_try_after_loss(&self, run: &mut Run, at: At) -> Option<Timestamp> {
        let ending = run.ending.is_some() && !run.is_teardown(at.pos);
        let slot = run.slot_mut(at)?;
        slot.losses = slot.losses.saturating_add(1);
        if ending || u32::from(slot.losses) > self.config.losses_max {
            return None;
        }
        let doublings = u32::from(slot.losses - 1).min(10);
        Some(self.now.after(self.config.loss_wait * (1 << doublings)))
    }

    fn try_again_or_fail(&mut self, run: &mut Run, at: At, retry_at: Option<Timestamp>) {
        let Some(retry_at) = retry_at else {
            self.enter(run, at, TaskState::Failed);
            self.release_left(run, at);
            self.task_failed(run, at);
            return;
        };
        if let Some(row) = self.changes.attempts.last_mut() {
            row.retry_at = Some(retry_at);
        }
        if let Some(slot) = run.slot_mut(at) {
            slot.retry_at = Moment::from(retry_at);
        }
        self.enter(run, at, TaskState::UpForRetry);
        self.timer(retry_at, Timer::Retry(run.no, at));
        self.task_retries(run, at, retry_at);
    }

    /// The time to try again has come.
    pub(super) fn retry(&mut self, run: &mut Run, at: At) {
        let now = self.now;
        let due = run.slot(at).is_some_and(|slot| {
            slot.state == TaskState::UpForRetry && slot.retry_at.get().is_some_and(|at| at <= now)
        });
        if !due || !run.is_active() {
            return;
        }
        if let Some(slot) = run.slot_mut(at) {
            slot.retry_at = Moment::NONE;
        }
        self.enter(run, at, TaskState::Scheduled);
        self.enqueue(run, at);
    }

    /// Its worker vanished with it. What that worker may still say of it comes too late.
    pub(super) fn lost(&mut self, run: &mut Run, at: At, why: &Arc<str>) {
        let ended = run.slot(at).map(|slot| slot.ended_attempt);
        self.left(run, at, why);
        if let (Some(ended), Some(slot)) = (ended, run.slot_mut(at)) {
            slot.ended_attempt = ended;
        }
    }

    /// Its worker gave it up.
    fn left(&mut self, run: &mut Run, at: At, why: &Arc<str>) {
        let retry_at = self.next_try_after_loss(run, at);
        let cause = Cause {
            kind: Some(ErrorKind::Lost),
            ..Cause::plain(why)
        };
        self.end_attempt(run, at, AttemptEnd::Lost, cause);
        if let Some(slot) = run.slot_mut(at) {
            slot.detail_mut().why = Some(Arc::clone(why));
        }
        self.try_again_or_fail(run, at, retry_at);
    }

    /// Its worker has it and does not begin it, or will not.
    pub(super) fn unbegun(&mut self, run: &mut Run, at: At, why: &Arc<str>) {
        let Some(slot) = run
            .slot_mut(at)
            .filter(|slot| slot.state == TaskState::Queued)
        else {
            return;
        };
        slot.requeues += 1;
        let again = slot.requeues <= 2;
        self.give_up(run, at, AttemptEnd::Lost, why);
        if let Some(slot) = run.slot_mut(at) {
            slot.detail_mut().why = Some(Arc::clone(why));
        }
        let retry_at = again.then(|| self.now.after(self.config.loss_wait));
        self.try_again_or_fail(run, at, retry_at);
    }

    /// An attempt took too long. Its remote job is cancelled before the next one begins.
    pub(super) fn timed_out(&mut self, run: &mut Run, at: At) {
        let now = self.now;
        let over = run.slot(at).is_some_and(|slot| {
            slot.is_live() && slot.deadline.get().is_some_and(|deadline| deadline <= now)
        });
        if !over {
            return;
        }
        let plan = Arc::clone(&run.plan);
        let spec = plan.spec(at.pos);
        match &spec.kind {
            TaskKind::Approval { default, .. } => {
                let default = default.as_deref().map(Arc::from);
                return self.answer_or_fail(run, at, default);
            }
            TaskKind::Sensor {
                skip_on_timeout, ..
            } => {
                let why: Arc<str> = "what it waited for did not come in time".into();
                self.give_up(run, at, AttemptEnd::TimedOut, &why);
                let state = if *skip_on_timeout {
                    TaskState::Skipped
                } else {
                    TaskState::Failed
                };
                return self.end_undone(run, at, state, Some(why));
            }
            _ => {}
        }
        let limit = spec
            .timeout
            .map(tidemill_core::span::text)
            .unwrap_or_default();
        let error = TaskError::transient(format!("it took longer than {limit}"));
        let retry_at = self.next_try(run, at, &error);
        let why: Arc<str> = error.message.as_str().into();
        self.give_up(run, at, AttemptEnd::TimedOut, &why);
        if let Some(slot) = run.slot_mut(at) {
            slot.detail_mut().why = Some(why);
        }
        self.try_again_or_fail(run, at, retry_at);
    }

    fn handed_over(&mut self, run: &mut Run, at: At) {
        let Some(slot) = run.slot(at) else {
            return;
        };
        if slot.state != TaskState::Deferred {
            self.left(run, at, &"its worker left before it was done".into());
            return;
        }
        if let Some(worker) = slot.worker {
            self.workers.get_mut(worker).holds.remove(&(run.no, at));
        }
        self.watch(run, at);
    }

    /// Puts the end of the attempt that is on on record, and gives back what it holds.
    pub(super) fn end_attempt(&mut self, run: &mut Run, at: At, end: AttemptEnd, cause: Cause) {
        let of = run.of(at);
        let no = run.no;
        let sensor = run.plan.task(at.pos).sensor;
        let instant = run.plan.task(at.pos).instant;
        let now = self.now;
        let Some(slot) = run.slot_mut(at) else {
            return;
        };
        let worker = slot.worker.take();
        let state = slot.state;
        let deadline = slot.deadline.get();
        // By another leader's clock it may have begun later than it is now.
        let began = slot.started_at.max(slot.queued_at);
        let ended_at = began.get().map_or(now, |began| now.max(began));
        let waited = state == TaskState::Deferred;
        let deferred_at = slot.since.get().filter(|_| waited);
        self.changes.attempts.push(AttemptRow {
            id: slot.attempt,
            of,
            number: slot.number,
            epoch: slot.epoch,
            end,
            worker: worker.and_then(|worker| self.workers.name(worker.get())),
            queued_at: slot.queued_at.get().unwrap_or(now),
            started_at: slot.started_at.get(),
            ended_at,
            error_kind: cause.kind,
            message: cause.message,
            help: cause.help,
            retry_at: None,
            deferred_at: deferred_at.map(|since| since.min(ended_at)),
        });
        slot.ended_attempt = slot.attempt;
        slot.edits += 1;
        if end == AttemptEnd::Lost && !instant {
            let handle = &mut slot.detail_mut().handle;
            handle.get_or_insert_with(|| UNKNOWN_HANDLE.into());
        }
        if !sensor || end == AttemptEnd::Success {
            slot.deadline = Moment::NONE;
        }
        if deadline.is_some() {
            self.no_timer(deadline, Timer::Attempt(no, at));
        }
        if !instant {
            self.let_go(run, at, state);
            if let Some(worker) = worker {
                self.workers.get_mut(worker).holds.remove(&(no, at));
                if state != TaskState::Deferred {
                    self.workers.give_slot(worker);
                }
            }
            self.unwatched.remove(&(no, at));
        }
        self.dirty(run, at);
    }

    /// Has a person asked. No worker is needed for that.
    pub(super) fn ask_people(&mut self, run: &mut Run, at: At) {
        let attempt = self.next_attempt();
        let now = self.now;
        if let Some(slot) = run.slot_mut(at) {
            slot.attempt = attempt;
            slot.hand = 0;
            slot.number += 1;
            slot.queued_at = now.into();
            slot.started_at = now.into();
            slot.detail_mut().why = Some("waits for an answer".into());
        }
        self.enter(run, at, TaskState::Deferred);
        self.start_clock(run, at);
    }

    /// What a person answered, or nobody did in time.
    pub(super) fn answer_or_fail(&mut self, run: &mut Run, at: At, answer: Option<Arc<str>>) {
        let by = answer.as_ref().map(|_| "nobody in time".into());
        self.answered(
            run,
            at,
            answer,
            by.unwrap_or_else(|| super::world::ENGINE.into()),
        );
    }

    pub(super) fn answered(
        &mut self,
        run: &mut Run,
        at: At,
        answer: Option<Arc<str>>,
        by: Arc<str>,
    ) {
        let plan = Arc::clone(&run.plan);
        let TaskKind::Approval { rejecting, .. } = &plan.spec(at.pos).kind else {
            return;
        };
        let Some(choice) = answer else {
            let why: Arc<str> = "nobody answered in time".into();
            self.end_attempt(run, at, AttemptEnd::TimedOut, Cause::plain(&why));
            return self.end_undone(run, at, TaskState::Failed, Some(why));
        };
        let output = serde_json::json!({ "choice": &*choice, "by": &*by, "note": "" });
        self.output(run, at, output.to_string().into(), false);
        let why: Arc<str> = format!("{by} answered {choice}").into();
        if rejecting.iter().any(|rejecting| **rejecting == *choice) {
            self.end_attempt(run, at, AttemptEnd::Failed, Cause::plain(&why));
            self.end_undone(run, at, TaskState::Failed, Some(why));
        } else {
            self.end_attempt(run, at, AttemptEnd::Success, Cause::plain(&why));
            if let Some(slot) = run.slot_mut(at) {
                slot.detail_mut().why = Some(why);
            }
            self.enter(run, at, TaskState::Success);
            self.task_succeeded(run, at);
        }
    }
}

/// What the output of a branch or a short circuit says.
fn said(kind: &TaskKind, output: Option<&Arc<str>>) -> Option<Said> {
    match kind {
        TaskKind::Branch { .. } => Some(Said::Ways(output.cloned().unwrap_or_else(|| "[]".into()))),
        TaskKind::ShortCircuit { .. } => Some(Said::Pass(!matches!(
            output.map(AsRef::as_ref),
            None | Some("false" | "null")
        ))),
        _ => None,
    }
}

/// A number that is the same for the same task in the same run, and for no two tasks that failed together.
fn seed(run: &Run, at: At) -> u64 {
    use std::hash::Hasher as _;
    let mut mix = super::fast::Mix::default();
    mix.write_i64(run.no.0);
    mix.write_u32(at.pos);
    mix.write_i64(at.index.into());
    mix.finish()
}

/// What becomes of a report about this attempt, if the run is there.
pub(super) fn fence(run: &Run, at: At, attempt: &AttemptRef, by: WorkerIx, open: bool) -> Fence {
    let Some(slot) = run.slot(at) else {
        return Fence::Says(Verdict::Superseded);
    };
    let current =
        slot.attempt == attempt.attempt && slot.hand == attempt.hand && slot.worker == Some(by);
    if slot.is_live() && (current || open) {
        return Fence::Pass;
    }
    // It is repeated: its answer was lost.
    if attempt.attempt.0 > 0 && slot.ended_attempt == attempt.attempt && slot.hand == attempt.hand {
        return Fence::Says(Verdict::Recorded);
    }
    Fence::Says(Verdict::Superseded)
}

/// Whether a report counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fence {
    Pass,
    Says(Verdict),
}
