//! Operators against what they talk to.

mod credentials;
mod http;
mod kit;
mod checks;
mod shell;
mod shell_ends;
mod storage;
