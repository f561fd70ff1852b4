//! Child processes that end as a whole: what the shell operator and the isolated attempts of the worker share.
//!
//! Nothing here starts a process. It says what environment one gets ([`BaseEnv`]), cuts what it prints into lines
//! ([`Lines`]), ends it with everything that it started ([`Group`], [`Family`]), and puts its end into words
//! ([`exit_words`]).

mod env;
mod exit;
mod family;
mod group;
mod lines;

pub use env::{BaseEnv, INHERITED, PATH};
pub use exit::{exit_words, signal_name};
pub use family::{Family, end_own_descendants};
pub use group::Group;
pub use lines::{LINE_BYTES_MAX, Lines, Tail};
