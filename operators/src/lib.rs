//! What tasks can do on other systems: one file a system.

mod credentials;
pub mod http;
pub mod probe;
pub mod shell;

pub use shell::{Shell, ShellOutput};
