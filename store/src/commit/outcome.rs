//! What became of a commit. That it is not known is an answer of its own, which nobody can overlook.

use crate::StoreError;

/// What became of one try to commit.
#[derive(Debug)]
#[must_use = "a commit whose outcome is unknown must be resolved before anything else happens"]
pub enum CommitOutcome {
    /// It is on record, now or since an earlier try.
    Done,
    /// Somebody else leads: nothing was changed, and nothing will be. Step down.
    Deposed,
    /// The answer was lost. Either it is on record or it is not: [`Leader::resolve`](crate::Leader::resolve) finds out.
    Unknown(StoreError),
}

/// What became of a commit whose answer was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a commit that is not on record has to be sent again"]
pub enum Resolved {
    /// It is on record.
    Done,
    /// It is not. Send the very same changes under the same number again, and no others: should the first ones still be on
    /// their way, only one of the two gets in.
    NotDone,
    /// Somebody else leads.
    Deposed,
}

/// What became of a commit that was tried until it was clear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a leader that was deposed must step down"]
pub enum Settled {
    /// It is on record.
    Done,
    /// Somebody else leads: nothing of it was changed.
    Deposed,
}

/// What a database says to a batch.
#[derive(Debug)]
pub(crate) enum Tried {
    /// Written.
    Done,
    /// The leader's row says another term or another batch. Nothing was changed.
    NotNext,
    /// Refused or never sent. Nothing was changed.
    Failed(StoreError),
    /// Sent, and no answer came.
    Unknown(StoreError),
}
