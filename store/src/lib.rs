//! What Tidemill keeps, on PostgreSQL and on SQLite. The only crate with SQL in it.
//!
//! [`Store::open`] opens a database. Whoever schedules takes the [lead](Store::lead), reads back what is
//! [active](Store::recover), and [commits](Leader::commit) batches of [`record::Changes`]. Pages and the command line read
//! beside it.

pub mod access;
mod audit;
mod bind;
mod check;
mod clean;
mod commit;
mod db;
mod error;
mod find;
mod health;
mod hint;
pub mod history;
mod lead;
pub mod live;
mod measure;
mod migrate;
mod options;
pub mod outbox;
mod prepare;
mod read;
pub mod record;
mod recover;
mod rows;
mod secrets;
mod sql;
mod store;

pub use audit::{Chain, Fault, Found, Known, Verified};
pub use check::Violation;
pub use clean::{CleanOptions, Cleaned, Cleaning, LogsLeft};
pub use commit::{CommitOutcome, Leader, Resolved, Settled};
pub use error::{Constraint, SchemaError, StoreError};
pub use find::{Before, Matching};
pub use health::Health;
pub use hint::{Hint, Listener};
pub use lead::{Holder, Lead};
pub use migrate::Migration;
pub use options::{Options, Schema};
pub use store::Store;
