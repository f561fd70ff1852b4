//! What a process says about itself, on stderr.

use std::io::IsTerminal as _;

use tracing_subscriber::fmt;

use crate::config::kinds::{LogFormat, LogLevel};
use crate::config::settings::Settings;

/// Begins to say it. Only the first call of a process counts.
pub(crate) fn begin(settings: &Settings) {
    let level = match settings.log_level {
        LogLevel::Error => tracing::Level::ERROR,
        LogLevel::Warn => tracing::Level::WARN,
        LogLevel::Info => tracing::Level::INFO,
        LogLevel::Debug => tracing::Level::DEBUG,
        LogLevel::Trace => tracing::Level::TRACE,
    };
    let lines = fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal());
    let begun = match settings.log_format {
        LogFormat::Text => tracing::subscriber::set_global_default(lines.finish()),
        LogFormat::Json => tracing::subscriber::set_global_default(lines.json().finish()),
    };
    // Whoever uses this as a library may have begun already.
    drop(begun);
}
