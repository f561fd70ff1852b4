//! The states of tasks and runs, and the trigger rules between them, named as Airflow users know them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

macro_rules! word_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            /// Every value, in the order they are explained.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word for it: in the database, in JSON, on pages and on the command line.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.word())
            }
        }

        impl FromStr for $name {
            type Err = String;

            fn from_str(word: &str) -> Result<Self, String> {
                Self::ALL.iter().copied().find(|value| value.word() == word).ok_or_else(|| {
                    let words: Vec<&str> = Self::ALL.iter().map(|value| value.word()).collect();
                    format!("`{word}` is none of {}", words.join(", "))
                })
            }
        }
    };
}
pub(crate) use word_enum;

word_enum! {
    /// Where a task instance stands.
    TaskState {
        /// Not considered yet: upstream tasks are still open.
        None = "none",
        /// Its rule is met; a gate (pool, limit, pause) holds it.
        Scheduled = "scheduled",
        /// Assigned to a worker, not started yet.
        Queued = "queued",
        /// A worker runs it.
        Running = "running",
        /// It waits for a remote job, a time, an answer; it holds no slot.
        Deferred = "deferred",
        /// It failed and waits for its next attempt.
        UpForRetry = "up_for_retry",
        /// Done.
        Success = "success",
        /// Failed for good.
        Failed = "failed",
        /// Left out by a branch, a condition or a rule.
        Skipped = "skipped",
        /// Cannot run any more because something upstream failed.
        UpstreamFailed = "upstream_failed",
        /// The task or map index is no longer in the DAG.
        Removed = "removed",
    }
}

impl TaskState {
    /// Whether nothing more happens to it unless a person asks.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(
            self,
            Self::Success | Self::Failed | Self::Skipped | Self::UpstreamFailed | Self::Removed
        )
    }
}

word_enum! {
    /// Where a run stands.
    RunState {
        /// Waits for its DAG's limit on active runs.
        Queued = "queued",
        /// Its tasks are being worked on.
        Running = "running",
        /// All effective leaves ended well.
        Success = "success",
        /// An effective leaf failed.
        Failed = "failed",
        /// A person ended it.
        Cancelled = "cancelled",
    }
}

word_enum! {
    /// How a run came about.
    RunType {
        /// By the DAG's timetable.
        Scheduled = "scheduled",
        /// By a person or an API call.
        Manual = "manual",
        /// As part of a backfill.
        Backfill = "backfill",
        /// By assets that changed.
        Asset = "asset",
    }
}

word_enum! {
    /// When a task may run, seen from the states of its direct upstream tasks.
    TriggerRule {
        /// Every upstream succeeded.
        AllSuccess = "all_success",
        /// Every upstream failed.
        AllFailed = "all_failed",
        /// Every upstream ended, however.
        AllDone = "all_done",
        /// Every upstream was skipped.
        AllSkipped = "all_skipped",
        /// One upstream succeeded; the rest is not waited for.
        OneSuccess = "one_success",
        /// One upstream failed; the rest is not waited for.
        OneFailed = "one_failed",
        /// One upstream succeeded or failed; the rest is not waited for.
        OneDone = "one_done",
        /// Every upstream succeeded or was skipped.
        NoneFailed = "none_failed",
        /// As `none_failed`, and at least one succeeded: the rule for a join after a branch.
        NoneFailedMinOneSuccess = "none_failed_min_one_success",
        /// Every upstream ended and none was skipped.
        NoneSkipped = "none_skipped",
        /// Every upstream ended, none was skipped, at least one succeeded.
        AllDoneMinOneSuccess = "all_done_min_one_success",
        /// Every upstream ended and, where there are setups upstream, one of them succeeded: the rule of teardowns.
        AllDoneSetupSuccess = "all_done_setup_success",
        /// At once.
        Always = "always",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_read_back_and_match_their_json() {
        for rule in TriggerRule::ALL {
            assert_eq!(rule.word().parse(), Ok(*rule));
            assert_eq!(serde_json::to_string(rule).unwrap(), format!("\"{rule}\""));
        }
        for state in TaskState::ALL {
            assert_eq!(
                serde_json::to_string(state).unwrap(),
                format!("\"{state}\"")
            );
        }
        assert_eq!(TriggerRule::ALL.len(), 13);
        assert!(
            "all_sucess"
                .parse::<TriggerRule>()
                .is_err_and(|why| why.contains("all_success"))
        );
    }
}
