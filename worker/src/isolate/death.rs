//! Why a child ended without a result.

use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;

use tidemill_core::operator::TaskError;
use tidemill_process::{Tail, exit_words, signal_name};

/// What Rust says before it aborts because there is no more memory.
const NO_MEMORY: &str = "memory allocation of";
/// What Rust says before it aborts because a stack is full.
const NO_STACK: &str = "has overflowed its stack";
const MIB: u64 = 1 << 20;

/// Puts the end of a child into words, and decides whether another try can help.
///
/// A bug stays a bug: an abort, a crash or an `exit` is as permanent as a panic. What killed it from outside, such as
/// the kernel when the machine's memory ran out, may pass, and uses up the author's retries: a task that eats all memory
/// is not tried for ever.
pub(super) fn error(status: ExitStatus, memory_max: Option<u64>, said: &Tail) -> TaskError {
    if said.has(NO_MEMORY) {
        return no_memory(status, memory_max, said);
    }
    let words = exit_words(status);
    let message = said.below(&format!("the task's process {words} before it returned"));
    match status.signal() {
        None => TaskError::permanent(message)
            .help("a task ends by returning; look for `exit` in its code and its libraries"),
        Some(signal) => match signal_name(signal) {
            Some("SIGKILL") => TaskError::transient(message).help(
                "the kernel kills like this when memory runs out: give the worker more, fewer slots, or the task a memory limit",
            ),
            Some("SIGHUP" | "SIGINT" | "SIGTERM") => TaskError::transient(message),
            Some("SIGABRT") if said.has(NO_STACK) => TaskError::permanent(message)
                .help("something calls itself too deeply, or keeps too much on the stack"),
            _ => TaskError::permanent(message)
                .help("it crashed; `unsafe` code, a C library or an abort is to blame"),
        },
    }
}

fn no_memory(status: ExitStatus, memory_max: Option<u64>, said: &Tail) -> TaskError {
    let words = exit_words(status);
    match memory_max {
        Some(bytes) => TaskError::permanent(said.below(&format!(
            "the task needed more than its {} MiB of memory and its process {words}",
            bytes / MIB
        )))
        .help("raise its memory limit, or work on smaller pieces"),
        None => TaskError::transient(said.below(&format!(
            "the machine had no more memory and the task's process {words}"
        )))
        .help("give the worker more memory or fewer slots, or the task a memory limit"),
    }
}
