//! Nothing of an attempt is left when it is over, however it ended.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;

use tidemill_core::operator::{ErrorKind, Host, Outcome, TaskResult};
use tidemill_worker::isolate::{self, Job};
use tokio::task::JoinHandle;

use crate::host::{Remembers, gone, program, ran, runtime};
use crate::tasks::{job, shell_job};

crate::tests![
    what_it_left_running_is_ended_with_it,
    what_a_dead_process_left_is_ended,
    dropping_it_ends_all_that_it_started,
    dropping_it_ends_what_left_the_session,
    it_stops_when_it_is_told,
    it_is_killed_when_it_does_not_stop,
    it_ends_with_its_worker,
];

fn spawned(job: Job, host: &Arc<Remembers>) -> JoinHandle<TaskResult<Outcome>> {
    let host = Arc::clone(host) as Arc<dyn Host>;
    tokio::spawn(async move { isolate::run(&program(), &job, host).await })
}

async fn all_gone(pids: &[String]) {
    for pid in pids {
        gone(pid).await;
    }
}

fn what_it_left_running_is_ended_with_it() {
    let (result, host) = ran(&job("start"));
    assert!(result.is_ok());
    runtime().block_on(async { all_gone(&host.lines(3).await).await });
}

fn what_a_dead_process_left_is_ended() {
    let (result, host) = ran(&job("start and abort"));
    assert!(result.is_err());
    runtime().block_on(async { all_gone(&host.lines(3).await).await });
}

fn dropping_it_ends_all_that_it_started() {
    runtime().block_on(async {
        let host = Arc::new(Remembers::default());
        let attempt = spawned(job("start and block"), &host);
        let pids = host.lines(3).await;
        attempt.abort();
        assert!(attempt.await.is_err_and(|error| error.is_cancelled()));
        all_gone(&pids).await;
    });
}

fn dropping_it_ends_what_left_the_session() {
    runtime().block_on(async {
        let host = Arc::new(Remembers::default());
        // The inner shell has a session of its own, and its parent is gone.
        let script = "(setsid sh -c 'echo $$; exec sleep 1000' &); sleep 1000";
        let attempt = spawned(shell_job(script), &host);
        let pids = host.lines(1).await;
        attempt.abort();
        let _ = attempt.await;
        all_gone(&pids).await;
    });
}

fn it_stops_when_it_is_told() {
    runtime().block_on(async {
        let host = Arc::new(Remembers::default());
        let attempt = spawned(job("stop when told"), &host);
        host.lines(1).await;
        host.cancelled.send_replace(true);
        let error = attempt.await.expect("no panic").expect_err("cancelled");
        assert_eq!(error.kind, ErrorKind::Cancelled);
        assert_eq!(error.message, "stopped as I was told");
    });
}

fn it_is_killed_when_it_does_not_stop() {
    runtime().block_on(async {
        let host = Arc::new(Remembers::default());
        let attempt = spawned(job("start and block"), &host);
        let pids = host.lines(3).await;
        host.cancelled.send_replace(true);
        let error = attempt.await.expect("no panic").expect_err("cancelled");
        assert_eq!(error.kind, ErrorKind::Cancelled);
        assert!(error.message.contains("did not stop"), "{}", error.message);
        all_gone(&pids).await;
    });
}

fn it_ends_with_its_worker() {
    let mut command = Command::new(program().path);
    command.arg(crate::WORKER).stdout(Stdio::piped());
    let mut worker = command.spawn().expect("a worker");
    let stdout = worker.stdout.take().expect("its output");
    let pids: Vec<String> = BufReader::new(stdout)
        .lines()
        .take(3)
        .collect::<Result<_, _>>()
        .expect("three lines");
    worker.kill().expect("it was running");
    worker.wait().expect("it is dead");
    assert_eq!(pids.len(), 3);
    runtime().block_on(all_gone(&pids));
}

/// A worker whose only attempt starts processes and blocks.
#[expect(clippy::print_stdout, reason = "the test reads it")]
pub(crate) fn worker() -> ExitCode {
    runtime().block_on(async {
        let host = Arc::new(Remembers::default());
        let attempt = spawned(job("start and block"), &host);
        for pid in host.lines(3).await {
            println!("{pid}");
        }
        let _ = attempt.await;
    });
    ExitCode::SUCCESS
}
