//! One task instance in memory. A run of a hundred thousand tasks is a hundred thousand of these in a row.

use std::sync::Arc;

use tidemill_core::protocol::AttemptNo;
use tidemill_core::state::TaskState;
use tidemill_core::time::Timestamp;
use tidemill_store::record::{Said, Touch};

use super::rules::Counts;

/// An instant, or none, in eight bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment(i64);

impl Moment {
    pub(super) const NONE: Self = Self(i64::MIN);

    pub(super) fn get(self) -> Option<Timestamp> {
        (self != Self::NONE).then(|| Timestamp::from_micros(self.0))
    }
}

impl From<Timestamp> for Moment {
    fn from(at: Timestamp) -> Self {
        Self(at.micros())
    }
}

impl From<Option<Timestamp>> for Moment {
    fn from(at: Option<Timestamp>) -> Self {
        at.map_or(Self::NONE, Self::from)
    }
}

impl std::fmt::Debug for Moment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.get().fmt(f)
    }
}

/// Small facts about an instance, one bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Flags(u8);

impl Flags {
    /// It changed since the last commit.
    pub(super) const DIRTY: u8 = 1;
    /// It is not in the store yet.
    pub(super) const NEW: u8 = 2;
    /// Its detail changed since the last commit.
    pub(super) const DETAIL: u8 = 4;
    /// Its last attempt is being stopped; nothing of it starts before that is done.
    pub(super) const STOPPING: u8 = 8;
    /// A short circuit upstream skips it, whatever its rule says.
    pub(super) const CUT: u8 = 16;
    /// Its deadline has passed, and this was told.
    pub(super) const LATE: u8 = 32;

    pub(super) const fn has(self, flag: u8) -> bool {
        self.0 & flag != 0
    }

    pub(super) const fn set(&mut self, flag: u8) {
        self.0 |= flag;
    }

    pub(super) const fn clear(&mut self, flag: u8) {
        self.0 &= !flag;
    }

    /// Clears a flag and says whether it was set.
    pub(super) const fn take(&mut self, flag: u8) -> bool {
        let had = self.has(flag);
        self.clear(flag);
        had
    }
}

/// The handle of what may have been launched by an attempt that did not say so.
pub(super) const UNKNOWN_HANDLE: &str = "null";

/// What only some instances have.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Detail {
    /// Kept for as long as nobody knows that what was launched is over.
    pub(super) handle: Option<Arc<str>>,
    pub(super) why: Option<Arc<str>>,
    pub(super) item: Option<Arc<str>>,
    pub(super) said: Option<Said>,
    pub(super) note: Option<Arc<str>>,
    pub(super) touched: Option<Touch>,
    /// The key of concurrency that it takes, by number; not kept in the store, for it follows from the run.
    pub(super) key: Option<u32>,
}

impl Detail {
    /// Whether there is nothing in it that is written down.
    pub(super) fn is_empty(&self) -> bool {
        let written = Self {
            key: None,
            ..self.clone()
        };
        written == Self::default()
    }
}

/// One task instance in memory. What the fields mean is said at the store's `TaskRow`.
#[derive(Debug, Clone)]
pub(super) struct Slot {
    pub(super) state: TaskState,
    pub(super) flags: Flags,
    pub(super) hand: u16,
    pub(super) tries: u16,
    pub(super) losses: u16,
    pub(super) requeues: u16,
    pub(super) number: u32,
    pub(super) epoch: u32,
    pub(super) edits: u32,
    /// How its upstream instances ended.
    pub(super) counts: Counts,
    /// How many upstream instances it has.
    pub(super) total: u32,
    /// Of a teardown: how many tasks it waits for that are not directly before it.
    pub(super) waits: u32,
    /// Of a mapped task as a whole: how many instances it has, if it was expanded.
    pub(super) instances: Option<u32>,
    /// The number under which it waits in a lane; entries with another number are old.
    pub(super) ticket: u32,
    /// The worker, by number.
    pub(super) worker: Option<std::num::NonZeroU32>,
    pub(super) attempt: AttemptNo,
    pub(super) ended_attempt: AttemptNo,
    pub(super) since: Moment,
    pub(super) queued_at: Moment,
    pub(super) started_at: Moment,
    pub(super) retry_at: Moment,
    pub(super) deadline: Moment,
    pub(super) detail: Option<Box<Detail>>,
}

impl Slot {
    pub(super) fn new(total: usize, waits: u32) -> Self {
        Self {
            state: TaskState::None,
            flags: Flags(Flags::NEW),
            hand: 0,
            tries: 0,
            losses: 0,
            requeues: 0,
            number: 0,
            epoch: 1,
            edits: 0,
            counts: Counts::default(),
            total: u32::try_from(total).unwrap_or(u32::MAX),
            waits,
            instances: None,
            ticket: 0,
            worker: None,
            attempt: AttemptNo(0),
            ended_attempt: AttemptNo(0),
            since: Moment::NONE,
            queued_at: Moment::NONE,
            started_at: Moment::NONE,
            retry_at: Moment::NONE,
            deadline: Moment::NONE,
            detail: None,
        }
    }

    /// Whether an attempt of it is on.
    pub(super) const fn is_live(&self) -> bool {
        matches!(
            self.state,
            TaskState::Queued | TaskState::Running | TaskState::Deferred
        ) && self.attempt.0 != self.ended_attempt.0
    }

    /// Whether no attempt of it is on, and what the last one launched may be.
    pub(super) fn has_left_something(&self) -> bool {
        let over = matches!(self.state, TaskState::Success | TaskState::Skipped);
        !self.is_live() && !over && !self.flags.has(Flags::STOPPING) && self.handle().is_some()
    }

    /// It was not there for a while, and is launched again as if it had been cleared: what it is to do may be something else.
    pub(super) fn begin_anew(&mut self) {
        (self.tries, self.losses, self.requeues) = (0, 0, 0);
        if self.number > 0 {
            self.epoch += 1;
        }
    }

    pub(super) fn detail(&self) -> Option<&Detail> {
        self.detail.as_deref()
    }

    pub(super) fn detail_mut(&mut self) -> &mut Detail {
        self.flags.set(Flags::DETAIL);
        self.detail.get_or_insert_default()
    }

    pub(super) fn handle(&self) -> Option<&Arc<str>> {
        self.detail()?.handle.as_ref()
    }
}
