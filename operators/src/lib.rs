//! What tasks can do on other systems: one file a system.

pub mod shell;

pub use shell::{Shell, ShellOutput};
