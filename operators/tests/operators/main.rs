//! Operators against what they talk to.

mod checks;
mod credentials;
mod dbt;
mod http;
mod kit;
mod python;
mod shell;
mod shell_ends;
mod storage;
