//! The logs of attempts: masked and cut into chunks by workers, kept and read back beside the scheduler.
//!
//! ```text
//!  task ──► AttemptLog ─┐ mask, cut, encode                          ┌─► page, search, tail, download
//!  child ─► Captured ───┴─► LogBook ──► LogChunk ──► gateway ──► LogKeeper (feature `keep`)
//!                              ▲─────── LogAck ◄───────┘              └─► a folder, or a bucket
//! ```
//!
//! A worker holds a [`LogBook`] and needs no credentials of any store; the scheduler's process holds a `LogKeeper`. A
//! chunk is sent until it is acknowledged, and keeping it again changes nothing.

mod book;
mod captured;
#[cfg(feature = "keep")]
mod keep;
mod line;
mod mask;

pub use book::{AttemptLog, LogBook, LogLimits};
pub use captured::Captured;
#[cfg(feature = "keep")]
pub use keep::{
    Form, Found, Kept, LogError, LogKeeper, Numbered, Page, Search, Start, Tail, Wanted,
};
pub use line::{Entry, Line};
pub use mask::{Masked, Masker, SECRET_CHARS_MIN};
