//! Attempts in processes of their own. This binary is its own child: started with [`CHILD`] it is an attempt, with
//! [`WORKER`] a worker that can be killed, and otherwise it runs the tests.

mod ends;
mod fails;
mod host;
mod tasks;
mod works;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

/// Makes this binary an attempt.
const CHILD: &str = "__attempt";
/// Makes this binary a worker that runs one attempt, and says its lines on its standard output.
const WORKER: &str = "__worker";

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some(CHILD) => tasks::child(),
        Some(WORKER) => ends::worker(),
        _ => {
            let tests = [works::TESTS, fails::TESTS, ends::TESTS].concat();
            let trials = tests.into_iter().map(|(name, test)| {
                Trial::test(name, move || {
                    test();
                    Ok(())
                })
            });
            libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
        }
    }
}

/// The name of a test, and the test.
type Test = (&'static str, fn());

/// A list of tests by their functions' names.
macro_rules! tests {
    ($($name:ident),+ $(,)?) => {
        pub(crate) const TESTS: &[crate::Test] = &[$((concat!(module_path!(), "::", stringify!($name)), $name)),+];
    };
}
use tests;
