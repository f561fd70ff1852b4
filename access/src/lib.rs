//! Who may come in and what they may do, as rules: what a password is worth, what a secret looks like, how long a session
//! lasts, how often somebody may try, and what each role may do.
//!
//! Nothing here asks a clock, a database or a browser: time is an argument, and what is stored comes in as values. Only
//! [`secret`] and [`password`] ask the system for random bytes. Pages, the API and the command line use the same rules.

pub mod may;
pub mod name;
pub mod password;
pub mod pattern;
pub mod secret;
pub mod session;
pub mod throttle;

pub use may::{Action, DagFacts, Denied, Grant, Limit, Who, may, may_somewhere};
pub use name::{DisplayError, UserNameError, display_name, user_name};
pub use password::{PasswordError, Verdict};
pub use pattern::{Pattern, PatternError};
pub use secret::{NoRandom, Secret};
pub use session::Lifetimes;
pub use throttle::{Counted, Limits, Subjects, Wait};
pub use tidemill_core::role::Role;
