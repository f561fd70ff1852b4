//! Services outside: jobs that were accepted under launch keys, and how they end.

use std::collections::BTreeMap;

use tidemill_core::protocol::InstanceRef;
use tidemill_core::time::Timestamp;

/// How a job ends if nobody cancels it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Success,
    Failure,
}

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JobState {
    Running,
    Done(Fate),
    Cancelled,
}

#[derive(Debug)]
struct Job {
    of: InstanceRef,
    key: String,
    ends_at: Timestamp,
    fate: Fate,
    cancelled: bool,
    /// Whether anybody on our side saw that it was over.
    seen_over: bool,
}

impl Job {
    fn state(&self, now: Timestamp) -> JobState {
        match (self.cancelled, self.ends_at <= now) {
            (true, _) => JobState::Cancelled,
            (false, true) => JobState::Done(self.fate),
            (false, false) => JobState::Running,
        }
    }
}

/// All services as one. It accepts whatever it is given: that nothing is given twice is what is to be proven.
#[derive(Debug, Default)]
pub(crate) struct Remote {
    jobs: Vec<Job>,
    by_key: BTreeMap<String, usize>,
    last_of: BTreeMap<InstanceRef, usize>,
}

impl Remote {
    /// What a look at a key says; whoever looks knows it from then on.
    pub(crate) fn look(&mut self, key: &str, now: Timestamp) -> Option<JobState> {
        let job = &mut self.jobs[*self.by_key.get(key)?];
        let state = job.state(now);
        job.seen_over |= state != JobState::Running;
        Some(state)
    }

    pub(crate) fn launch(
        &mut self,
        key: &str,
        of: InstanceRef,
        now: Timestamp,
        (ends_at, fate): (Timestamp, Fate),
    ) {
        assert!(
            !self.by_key.contains_key(key),
            "a second job was launched for {of:?} under the key {key}"
        );
        if let Some(last) = self.last_of.get(&of).map(|at| &self.jobs[*at]) {
            assert!(
                last.seen_over,
                "a job was launched for {of:?} under the key {key} while the one under {} was {:?} for all that anybody knew",
                last.key,
                last.state(now)
            );
        }
        self.by_key.insert(key.to_owned(), self.jobs.len());
        self.last_of.insert(of, self.jobs.len());
        self.jobs.push(Job {
            of,
            key: key.to_owned(),
            ends_at,
            fate,
            cancelled: false,
            seen_over: false,
        });
    }

    /// A job ends now, if there is one.
    pub(crate) fn cancel(&mut self, key: &str, now: Timestamp) -> bool {
        let Some(at) = self.by_key.get(key) else {
            return false;
        };
        let job = &mut self.jobs[*at];
        let runs = job.state(now) == JobState::Running;
        job.cancelled |= runs;
        job.seen_over = true;
        runs
    }

    /// Jobs of which nobody on our side knows that they are over.
    pub(crate) fn unseen(&self) -> Vec<String> {
        let unseen = self.jobs.iter().filter(|job| !job.seen_over);
        unseen
            .map(|job| format!("{} of {:?}", job.key, job.of))
            .collect()
    }

    pub(crate) const fn count(&self) -> usize {
        self.jobs.len()
    }
}
