//! What happened, for people, and how often which fault was there.

use std::collections::{BTreeMap, VecDeque};
use std::hash::{Hash as _, Hasher as _};

use tidemill_core::time::Timestamp;

/// How many of the last lines are kept.
const LINES_MAX: usize = 400;

/// Everything that can go wrong and is made to: a run of hundreds of seeds in which one of them is missing proves less
/// than it seems to.
pub(crate) const FAULTS: &[&str] = &[
    "scheduler crashed",
    "scheduler paused",
    "scheduler took over",
    "scheduler clock skewed",
    "stale leader fenced",
    "store not executed",
    "store executed, answer lost",
    "store slow",
    "store cut off",
    "back from outage",
    "worker crashed",
    "worker paused",
    "worker fenced itself",
    "worker drained",
    "worker cut off from scheduler",
    "worker cut off from services",
    "effect of an ended connection dropped",
    "report repeated",
    "report late",
    "assignment refused",
    "attempt handed over",
    "attempt watched by another",
    "launch refused by service",
    "launch accepted, answer lost",
    "launch adopted",
    "poll failed",
    "job given up",
    "job cancelled",
    "job released by another",
    "run cleared",
    "restarted with params",
    "restarted with another version",
    "tasks marked",
    "run cancelled",
    "attempt cancelled",
    "dag paused",
    "run paused",
    "pool changed",
    "run reprioritised",
    "backfill made",
    "backfill ended",
    "bulk command",
    "version deployed",
    "dag removed",
    "asset changed",
    "approval answered",
    "command that only asks",
    "command of a stale author",
    "command waited for runs to be read",
    "recovery compared",
    "rule evaluated again",
    "pool recounted",
    "key recounted",
    "run recounted",
    "alert looked up",
];

/// How often what happened.
#[derive(Debug, Clone, Default)]
pub(crate) struct Coverage(BTreeMap<&'static str, u64>);

impl Coverage {
    pub(crate) fn add(&mut self, other: &Self) {
        for (what, count) in &other.0 {
            *self.0.entry(what).or_default() += count;
        }
    }

    pub(crate) fn count(&self, what: &str) -> u64 {
        self.0.get(what).copied().unwrap_or(0)
    }

    /// What never happened.
    pub(crate) fn missing(&self) -> Vec<&'static str> {
        let all = FAULTS.iter().copied();
        all.filter(|what| self.count(what) == 0).collect()
    }
}

/// What happened in one seed.
#[derive(Debug, Default)]
pub(crate) struct History {
    lines: VecDeque<(Timestamp, String)>,
    left_out: usize,
    hash: std::hash::DefaultHasher,
    pub(crate) steps: u64,
    pub(crate) coverage: Coverage,
}

impl History {
    /// A line, and a part of what two plays of the same seed have to have in common.
    pub(crate) fn say(&mut self, at: Timestamp, line: String) {
        at.micros().hash(&mut self.hash);
        line.hash(&mut self.hash);
        if self.lines.len() >= LINES_MAX {
            self.lines.pop_front();
            self.left_out += 1;
        }
        self.lines.push_back((at, line));
    }

    /// Something that has to be seen at least once in many seeds.
    pub(crate) fn cover(&mut self, what: &'static str) {
        debug_assert!(FAULTS.contains(&what), "{what} is not in the list");
        *self.coverage.0.entry(what).or_default() += 1;
    }

    pub(crate) fn hash(&self) -> u64 {
        self.hash.finish()
    }

    /// The last of it, one line each.
    pub(crate) fn text(&self) -> String {
        let lines = self.lines.iter().map(|(at, line)| format!("{at}  {line}"));
        let lines: Vec<String> = lines.collect();
        format!("({} lines before)\n{}", self.left_out, lines.join("\n"))
    }
}
