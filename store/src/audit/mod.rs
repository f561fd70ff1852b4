//! The chain of the audit log. Each line has a SHA-256 over the hash of the line before it and over all that it says itself,
//! so a line that somebody changed, added, moved or took away shows: it, or the one after it, does not fit.
//!
//! There are two chains, because there are two who write and neither waits for the other (ADR 16): lines of the leader, whose
//! numbers go up, and lines about access, whose numbers go down. The leader has the last hash of its own in mind, as it has the
//! last number, and writes it into its row with the commit that writes the line; whoever changes access reads it under the
//! turn. Each chain begins somewhere: a clean takes old lines away from the beginning only, and keeps the hash of the last that
//! went.
//!
//! The database is not safe from whoever may write all of it: they can write a chain anew. Hence `verify` says the last hash of
//! each chain, and takes hashes that somebody noted elsewhere.

mod chain;
mod line;
mod verify;

pub(crate) use chain::{Bound, Said, bind};
pub(crate) use line::AccessLine;
pub use verify::{Chain, Fault, Found, Known, Verified};
