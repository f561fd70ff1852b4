//! Commits: what the leader decided becomes rows, all of it or nothing, once.
//!
//! A commit names the term and the number of its batch. The leader's row is locked and moved on in the same transaction,
//! so a leader that was replaced changes nothing, and a batch that is sent twice is written once.

mod batch;
mod leader;
mod outcome;

pub(crate) use batch::{Batch, Mark, Part};
pub use leader::Leader;
pub(crate) use leader::micros;
pub(crate) use outcome::Tried;
pub use outcome::{CommitOutcome, Resolved, Settled};
