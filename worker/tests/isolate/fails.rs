//! What takes a process down takes nothing else, and is said in words.

use tidemill_core::operator::ErrorKind::{Permanent, Transient};
use tidemill_worker::isolate::{self, Program};

use crate::host::{Remembers, error, program, ran, runtime};
use crate::tasks::job;

crate::tests![
    a_panic_fails_like_inside_the_worker,
    the_end_of_the_process_is_explained,
    the_memory_limit_is_named,
    enough_memory_is_enough,
    a_large_output_is_refused,
    a_binary_that_is_gone_is_named,
];

fn a_panic_fails_like_inside_the_worker() {
    let (result, host) = ran(&job("panic"));
    let error = result.expect_err("it panics");
    assert_eq!(error.kind, Permanent);
    assert_eq!(error.message, "the task panicked: at 3");
    // Where it was is in the log.
    let warnings = host.of(tidemill_core::operator::Level::Warn);
    assert!(
        warnings.iter().any(|line| line.contains("tasks.rs")),
        "{warnings:?}"
    );
}

fn the_end_of_the_process_is_explained() {
    for (what, kind, words) in [
        (
            "abort",
            Permanent,
            "the task's process was killed by SIGABRT before it returned",
        ),
        (
            "exit",
            Permanent,
            "the task's process exited with code 3 before it returned",
        ),
        (
            "kill",
            Transient,
            "the task's process was killed by SIGKILL before it returned",
        ),
        (
            "crash",
            Permanent,
            "the task's process was killed by SIGILL before it returned",
        ),
        ("overflow", Permanent, "has overflowed its stack"),
    ] {
        let error = error(&job(what));
        assert_eq!(error.kind, kind, "{what}");
        assert!(error.message.contains(words), "{what}: {}", error.message);
    }
}

fn the_memory_limit_is_named() {
    let mut job = job("eat");
    job.memory_max = Some(64 << 20);
    let error = error(&job);
    assert_eq!(error.kind, Permanent);
    let words = "the task needed more than its 64 MiB of memory";
    assert!(error.message.contains(words), "{}", error.message);
}

fn enough_memory_is_enough() {
    let mut job = job("return");
    job.memory_max = Some(64 << 20);
    assert!(ran(&job).0.is_ok());
}

fn a_large_output_is_refused() {
    let error = error(&job("return much"));
    assert_eq!(error.kind, Permanent);
    assert_eq!(
        error.message,
        "the task returned 2097154 bytes, the most is 1048576"
    );
}

fn a_binary_that_is_gone_is_named() {
    let program = Program {
        path: "/no/such/binary".into(),
        ..program()
    };
    let host = std::sync::Arc::new(Remembers::default());
    let result = runtime().block_on(isolate::run(&program, &job("return"), host));
    let error = result.expect_err("there is none");
    assert_eq!(error.kind, Transient);
    assert!(
        error.message.contains("/no/such/binary"),
        "{}",
        error.message
    );
}
