//! When a task may run, seen from the states of its upstream instances: Airflow's thirteen rules, as a function of
//! counts.

use tidemill_core::state::{TaskState, TriggerRule};

/// How many upstream instances ended in which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Succeeded.
    pub success: u32,
    /// Skipped.
    pub skipped: u32,
    /// Failed.
    pub failed: u32,
    /// Could not run because something upstream of them failed.
    pub upstream_failed: u32,
    /// No longer there.
    pub removed: u32,
}

impl Counts {
    /// How many have ended.
    #[must_use]
    pub const fn done(&self) -> u32 {
        self.success + self.skipped + self.failed + self.upstream_failed + self.removed
    }

    const fn bad(&self) -> u32 {
        self.failed + self.upstream_failed
    }

    /// Counts an instance in this state, or no longer counts it. States that are not final are not counted.
    pub(super) const fn count(&mut self, state: TaskState, by: i32) {
        let field = match state {
            TaskState::Success => &mut self.success,
            TaskState::Skipped => &mut self.skipped,
            TaskState::Failed => &mut self.failed,
            TaskState::UpstreamFailed => &mut self.upstream_failed,
            TaskState::Removed => &mut self.removed,
            _ => return,
        };
        *field = field.wrapping_add_signed(by);
    }

    pub(super) const fn add(&mut self, other: &Self) {
        self.success += other.success;
        self.skipped += other.skipped;
        self.failed += other.failed;
        self.upstream_failed += other.upstream_failed;
        self.removed += other.removed;
    }
}

/// What a rule says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing yet.
    Wait,
    /// The task may run.
    Pass,
    /// It never may: it ends like this.
    End(TaskState),
}

/// What a rule looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Seen {
    /// How its upstream instances ended.
    pub ended: Counts,
    /// How many upstream instances there are.
    pub total: u32,
    /// How the setups ended that a teardown cleans up after.
    pub setups: Counts,
    /// How many of them there are.
    pub setups_total: u32,
    /// Whether the rule waits for all upstream instances even where it would not have to: the task stands for
    /// instances that are not known yet.
    pub whole: bool,
    /// The instance's own index, if it is one of many.
    pub own_index: Option<u32>,
}

/// What a rule says of these upstream instances.
#[must_use]
pub fn verdict(rule: TriggerRule, seen: &Seen) -> Verdict {
    use TaskState::{Removed, Skipped, UpstreamFailed};
    let ended = &seen.ended;
    let all_done = ended.done() >= seen.total;
    if rule == TriggerRule::Always || (seen.total == 0 && seen.setups_total == 0) {
        return Verdict::Pass;
    }
    let ends = match rule {
        TriggerRule::Always | TriggerRule::AllDone => None,
        TriggerRule::AllSuccess if ended.bad() > 0 => Some(UpstreamFailed),
        TriggerRule::AllSuccess if ended.skipped > 0 => Some(Skipped),
        TriggerRule::AllSuccess => seen
            .own_index
            .filter(|own| ended.removed > 0 && ended.success > 0 && *own >= ended.success)
            .map(|_| Removed),
        TriggerRule::AllFailed => (ended.success + ended.skipped > 0).then_some(Skipped),
        TriggerRule::AllSkipped => (ended.success + ended.bad() > 0).then_some(Skipped),
        TriggerRule::OneSuccess if all_done && ended.skipped == seen.total => Some(Skipped),
        TriggerRule::OneSuccess => (all_done && ended.success == 0).then_some(UpstreamFailed),
        TriggerRule::OneFailed => (all_done && ended.bad() == 0).then_some(Skipped),
        TriggerRule::OneDone => (all_done && ended.success + ended.failed == 0).then_some(Skipped),
        TriggerRule::NoneFailed => (ended.bad() > 0).then_some(UpstreamFailed),
        TriggerRule::NoneFailedMinOneSuccess if ended.bad() > 0 => Some(UpstreamFailed),
        TriggerRule::NoneFailedMinOneSuccess if all_done && ended.skipped == seen.total => {
            Some(Skipped)
        }
        TriggerRule::NoneFailedMinOneSuccess => {
            (all_done && ended.success == 0).then_some(UpstreamFailed)
        }
        TriggerRule::NoneSkipped => (ended.skipped > 0).then_some(Skipped),
        TriggerRule::AllDoneMinOneSuccess if ended.skipped > 0 => Some(Skipped),
        TriggerRule::AllDoneMinOneSuccess => {
            (all_done && ended.success == 0).then_some(UpstreamFailed)
        }
        TriggerRule::AllDoneSetupSuccess => {
            let setups_done = all_done && seen.setups.done() >= seen.setups_total;
            match seen.setups_total > 0 && setups_done && seen.setups.success == 0 {
                true if seen.setups.skipped == seen.setups_total => Some(Skipped),
                true => Some(UpstreamFailed),
                false => None,
            }
        }
    };
    if let Some(state) = ends {
        return Verdict::End(state);
    }
    if passes(rule, seen, all_done) && (all_done || !seen.whole) {
        Verdict::Pass
    } else if all_done && seen.setups.done() >= seen.setups_total {
        // Only where everything upstream was removed can a rule neither pass nor end: the run would never finish.
        Verdict::End(Skipped)
    } else {
        Verdict::Wait
    }
}

const fn passes(rule: TriggerRule, seen: &Seen, all_done: bool) -> bool {
    let ended = &seen.ended;
    let total = seen.total;
    match rule {
        TriggerRule::Always => true,
        TriggerRule::AllSuccess => ended.success + ended.removed >= total,
        TriggerRule::AllFailed => ended.bad() + ended.removed >= total,
        TriggerRule::AllDone => all_done,
        TriggerRule::AllSkipped => ended.skipped == total,
        TriggerRule::OneSuccess => ended.success >= 1,
        TriggerRule::OneFailed => ended.bad() >= 1,
        TriggerRule::OneDone => ended.success + ended.failed >= 1,
        TriggerRule::NoneFailed => ended.success + ended.skipped + ended.removed >= total,
        TriggerRule::NoneFailedMinOneSuccess => {
            ended.success + ended.skipped + ended.removed >= total && ended.success >= 1
        }
        TriggerRule::NoneSkipped => all_done && ended.skipped == 0,
        TriggerRule::AllDoneMinOneSuccess => all_done && ended.skipped == 0 && ended.success >= 1,
        TriggerRule::AllDoneSetupSuccess => {
            all_done
                && seen.setups.done() >= seen.setups_total
                && (seen.setups_total == 0 || seen.setups.success >= 1)
        }
    }
}
