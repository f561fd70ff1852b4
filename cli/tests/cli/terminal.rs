//! `dags test` on a terminal: a bar and lines while it goes on, a question that somebody answers, and the result.

use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};

use tidemill::Environment;

use crate::running::{dags, line};

/// Set where this very test runs on the terminal, as the program.
const IS_PROGRAM: &str = "TEST_IS_THE_PROGRAM";

/// What a program prints on a terminal of its own, which is answered once it asks; and its exit code. `script` gives it the
/// terminal, `timeout` ends what hangs.
fn on_a_terminal(test: &str, (asks, answer): (&str, &str)) -> (String, Option<i32>) {
    let this = std::env::current_exe().expect("it works");
    let program = format!("'{}' --exact {test} --nocapture", this.display());
    let mut command = Command::new("timeout");
    command.args(["300", "script", "-qec", &program, "/dev/null"]);
    command.env(IS_PROGRAM, "1").env("TERM", "xterm");
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("`script` of util-linux is there");
    let mut stdin = child.stdin.take().expect("it works");
    let mut stdout = child.stdout.take().expect("it works");
    let (mut printed, mut answered) = (Vec::new(), false);
    let mut some = [0; 4_096];
    loop {
        match stdout.read(&mut some) {
            Ok(0) | Err(_) => break,
            Ok(read) => printed.extend_from_slice(&some[..read]),
        }
        if !answered && String::from_utf8_lossy(&printed).contains(asks) {
            answered = true;
            stdin.write_all(answer.as_bytes()).expect("it works");
        }
    }
    let code = child.wait().expect("it works").code();
    (String::from_utf8_lossy(&printed).into_owned(), code)
}

#[test]
fn a_dag_is_tried_out_on_a_terminal_and_asks_there() {
    if std::env::var_os(IS_PROGRAM).is_some() {
        let words = line(&["dags", "test", "asks"]);
        let output = tidemill::run_in(&dags(), words, &Environment::of_process());
        std::io::stdout()
            .write_all(output.stdout.as_bytes())
            .expect("it works");
        std::process::exit(output.code.into());
    }
    let test = "terminal::a_dag_is_tried_out_on_a_terminal_and_asks_there";
    // A wrong answer is asked again.
    let (printed, code) = on_a_terminal(test, ("approve / reject? ", "maybe\napprove\n"));
    assert_eq!(code, Some(0), "{printed}");
    assert_eq!(
        printed.matches("sign_off: approve / reject? ").count(),
        2,
        "{printed}"
    );
    for part in [
        "sign_off  deferred",
        "sign_off  success",
        "publish  success",
    ] {
        assert!(printed.contains(part), "{part}: {printed}");
    }
    assert!(printed.contains("/2 "), "a bar: {printed}");
    assert!(
        printed.contains("  kind       manual"),
        "the result: {printed}"
    );
}
