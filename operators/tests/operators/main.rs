//! Operators against what they talk to.

mod checks;
mod credentials;
mod http;
mod kit;
mod shell;
mod shell_ends;
mod storage;
