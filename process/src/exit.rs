//! How a process ended, in words.

use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;

/// The name of a signal, such as `SIGKILL`.
#[must_use]
pub const fn signal_name(signal: i32) -> Option<&'static str> {
    // The numbers that are the same on every system.
    Some(match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        5 => "SIGTRAP",
        6 => "SIGABRT",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        _ => return None,
    })
}

/// How it ended: `exited with code 3`, `was killed by SIGKILL`.
///
/// A shell reports what killed its own child as 128 and the signal's number, which is said, too.
#[must_use]
pub fn exit_words(status: ExitStatus) -> String {
    if let Some(signal) = status.signal() {
        return match signal_name(signal) {
            Some(name) => format!("was killed by {name}"),
            None => format!("was killed by signal {signal}"),
        };
    }
    let code = status.code().unwrap_or_default();
    match code.checked_sub(128).and_then(signal_name) {
        Some(name) => {
            format!("exited with code {code}: something that it ran was killed by {name}")
        }
        None => format!("exited with code {code}"),
    }
}
