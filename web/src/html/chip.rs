//! States: a shape, a word, and a colour third.

use std::fmt;

use askama::filters::HtmlSafe;
use tidemill_core::state::{RunState, TaskState};

/// How a state looks: the class of its shape and colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Tone {
    /// It failed: a diamond.
    Fail,
    /// Something before it failed: hatched.
    Up,
    /// It is tried again: a triangle.
    Retry,
    /// It runs: a ring.
    Run,
    /// It waits for something outside: two bars.
    Wait,
    /// It waits for its turn: a square.
    Queue,
    /// Not considered yet: a dashed square.
    None,
    /// Left out: an empty circle.
    Skip,
    /// It is well: round.
    Ok,
}

impl Tone {
    /// Its class in the style sheet.
    pub(crate) const fn class(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::Up => "up",
            Self::Retry => "retry",
            Self::Run => "run",
            Self::Wait => "wait",
            Self::Queue => "queue",
            Self::None => "none",
            Self::Skip => "skip",
            Self::Ok => "ok",
        }
    }
}

impl From<TaskState> for Tone {
    fn from(state: TaskState) -> Self {
        match state {
            TaskState::None => Self::None,
            TaskState::Scheduled | TaskState::Queued => Self::Queue,
            TaskState::Running => Self::Run,
            TaskState::Deferred => Self::Wait,
            TaskState::UpForRetry => Self::Retry,
            TaskState::Success => Self::Ok,
            TaskState::Failed => Self::Fail,
            TaskState::Skipped | TaskState::Removed => Self::Skip,
            TaskState::UpstreamFailed => Self::Up,
        }
    }
}

impl From<RunState> for Tone {
    fn from(state: RunState) -> Self {
        match state {
            RunState::Queued => Self::Queue,
            RunState::Running => Self::Run,
            RunState::Success => Self::Ok,
            RunState::Failed => Self::Fail,
            RunState::Cancelled => Self::Skip,
        }
    }
}

/// A state as people read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Chip {
    pub(crate) tone: Tone,
    word: &'static str,
}

impl Chip {
    /// A chip of its own, for what is neither a task nor a run.
    pub(crate) const fn new(tone: Tone, word: &'static str) -> Self {
        Self { tone, word }
    }

    /// The word.
    pub(crate) const fn word(self) -> &'static str {
        self.word
    }
}

impl From<TaskState> for Chip {
    fn from(state: TaskState) -> Self {
        let word = match state {
            TaskState::None => "Not yet",
            TaskState::Scheduled => "Scheduled",
            TaskState::Queued => "Queued",
            TaskState::Running => "Running",
            TaskState::Deferred => "Deferred",
            TaskState::UpForRetry => "Up for retry",
            TaskState::Success => "Success",
            TaskState::Failed => "Failed",
            TaskState::Skipped => "Skipped",
            TaskState::UpstreamFailed => "Upstream failed",
            TaskState::Removed => "Removed",
        };
        Self::new(state.into(), word)
    }
}

impl From<RunState> for Chip {
    fn from(state: RunState) -> Self {
        let word = match state {
            RunState::Queued => "Queued",
            RunState::Running => "Running",
            RunState::Success => "Success",
            RunState::Failed => "Failed",
            RunState::Cancelled => "Cancelled",
        };
        Self::new(state.into(), word)
    }
}

impl fmt::Display for Chip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let class = self.tone.class();
        write!(f, "<span class=\"st {class}\">{}</span>", self.word)
    }
}

// Class and word are constants of this file and its callers' source.
impl HtmlSafe for Chip {}
