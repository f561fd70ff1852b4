//! Operators against what they talk to.

mod shell;
mod shell_ends;
