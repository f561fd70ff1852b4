//! An attempt in a process of its own: the same binary, started again.
//!
//! A task that aborts, leaks, overflows its stack or calls `exit` takes its own process with it and nothing else, and it
//! finds no credentials: its environment is the list in [`BaseEnv`], and a connection is
//! asked of the worker when it is used.
//!
//! ```text
//!  worker: run ──────── Job, answers, cancel ───────► child: its stdin is the socket
//!      Host  ◄──── log, progress, loads, questions, the result ──── TaskContext
//!      log   ◄──── stdout, stderr: lines of the log, too
//! ```
//!
//! The two talk in frames: a length and JSON, over a pair of sockets, of which one end is the child's standard
//! input. The child puts it away at once and has an empty standard input from then on, so that nothing which the task
//! starts inherits it.
//!
//! # How it ends
//!
//! The child leads a session and adopts what its descendants leave behind. When its task is over, it kills what is left
//! and says the result. When the worker lets go of the attempt (a timeout, a cancel that is not obeyed in
//! [`STOP_GRACE`]), or when the child died, the worker kills the session and what descends from it.
//!
//! When the worker dies, the socket closes; the child sees it on a thread of its own, even if its task blocks, kills what
//! it started and itself. `PR_SET_PDEATHSIG` would look simpler, but it means the *thread* that started the child, which
//! in a runtime may end long before the process, and what the child started would live on.
//!
//! # The memory limit
//!
//! It is `RLIMIT_DATA`: memory that may be written, which includes the stacks of threads (2 MiB each), but not the
//! program, mapped files or address space that is only reserved. `RLIMIT_AS` counts those, and glibc reserves 64 MiB
//! for each thread that allocates. Each process that the task starts has the limit for itself.

mod child;
mod death;
mod frame;
mod parent;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidemill_core::operator::RunFacts;
use tidemill_core::spec::TaskSpec;
use tidemill_process::BaseEnv;

pub use child::{Inside, NOT_A_CHILD, Services, child};
pub use parent::run;

/// How long a child may go on after it was told that its task is cancelled.
pub const STOP_GRACE: Duration = Duration::from_secs(10);

/// What a child process is given: everything to make the task and run it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// The task.
    pub spec: TaskSpec,
    /// What it knows about its run and itself.
    pub facts: RunFacts,
    /// What the tasks before it returned.
    pub outputs: Vec<(String, Value)>,
    /// The variables that its texts name.
    pub variables: Vec<(String, String)>,
    /// What is to be done.
    pub act: Act,
    /// How many bytes of memory it may have.
    pub memory_max: Option<u64>,
}

/// What is to be done with a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// Run it.
    Run,
    /// Go on with what it was deferred with.
    Resume(Value),
    /// Cancel what it may have started outside. A success is [`Outcome::Done`](tidemill_core::operator::Outcome::Done)
    /// with `null`.
    Cancel(#[serde(with = "frame::maybe")] Option<Value>),
}

/// The program that a child runs: this very binary, with arguments that lead it to [`child`].
#[derive(Debug, Clone)]
pub struct Program {
    /// The binary, with its path: looking for it would cost a slower way of starting it.
    pub path: PathBuf,
    /// The arguments.
    pub args: Vec<OsString>,
    /// All that it sees of the environment, but for `RUST_BACKTRACE=1`.
    pub env: BaseEnv,
}
