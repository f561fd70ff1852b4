//! A worker that dies, leaves, or stands still.

use std::collections::BTreeSet;
use std::time::Duration;

use rustix::process::Signal;
use tidemill_core::protocol::RunNo;
use tidemill_store::record::AttemptEnd;
use tidemill_tests::audit;
use tidemill_tests::fleet::{Fleet, Setup};
use tidemill_tests::plant::HOLD;
use tidemill_tests::witness::{Instance, What};

use crate::{MINUTE, PLANT, free, lines, measured, now, within};

/// Tasks that hold on, some of them on a worker that will not see their end.
struct Scene {
    fleet: Fleet,
    run: RunNo,
    victim: String,
    pid: u32,
    /// What runs there.
    runs: BTreeSet<Instance>,
}

async fn scene(setup: Setup) -> Scene {
    let mut fleet = Fleet::start(setup).await;
    fleet.witness.put(HOLD);
    let run = fleet.trigger("held", "first").await;
    lines(&fleet, What::Started, 6).await;
    lines(&fleet, What::Accepted, 6).await;
    all_jobs_are_watched(&fleet, run, "nobody").await;
    let busy = fleet.witness.busy();
    let pid = busy.into_iter().next().expect("somebody is busy");
    let here = fleet.witness.lines().into_iter();
    let runs = here
        .filter(|line| line.what == What::Started && line.pid == pid)
        .map(|line| line.of)
        .collect();
    Scene {
        victim: fleet.named(pid).expect("it is one of the fleet"),
        fleet,
        run,
        pid,
        runs,
    }
}

/// Waits until each job is watched by a worker, and not by this one.
async fn all_jobs_are_watched(fleet: &Fleet, run: RunNo, not_by: &str) {
    fleet
        .until("jobs are watched", MINUTE, async |fleet| {
            let read = fleet.store.load_runs(&[run]).await.ok()?;
            let mut jobs = read
                .tasks
                .iter()
                .filter(|task| task.name.as_str().starts_with("job"));
            let watched = jobs.all(|job| {
                let worker = job.worker.as_deref();
                job.state.word() == "deferred" && worker.is_some_and(|worker| worker != not_by)
            });
            watched.then_some(())
        })
        .await;
}

impl Scene {
    /// Waits until all that ran on the victim runs elsewhere, and says when the last of it began.
    async fn runs_elsewhere(&self) -> i64 {
        let (runs, pid) = (&self.runs, self.pid);
        self.fleet
            .until("it runs elsewhere", MINUTE, async |fleet| {
                let lines = fleet.witness.lines().into_iter();
                let again: Vec<_> = lines
                    .filter(|line| line.what == What::Started && line.attempt > 1)
                    .filter(|line| line.pid != pid && runs.contains(&line.of))
                    .collect();
                let last = again.iter().map(|line| line.at).max();
                last.filter(|_| again.len() == runs.len())
            })
            .await
    }

    /// Lets everything end, and audits it. Says how many attempts were lost.
    async fn end(mut self) -> usize {
        self.fleet.heal();
        self.fleet.witness.take(HOLD);
        audit::ended(&self.fleet, &[self.run], MINUTE).await;
        audit::audit(&self.fleet, &[self.run]).await.lost
    }
}

#[test]
fn what_a_killed_worker_ran_runs_again_within_forty_seconds() {
    free(async {
        let mut scene = scene(Setup::apart(&PLANT, 3)).await;
        let victim = scene.victim.clone();
        let at = now();
        scene.fleet.process(&victim).kill();
        let again = scene.runs_elsewhere().await - at;
        within(
            "after kill -9 of a worker its tasks run again",
            again,
            Duration::from_secs(40),
        );
        all_jobs_are_watched(&scene.fleet, scene.run, &victim).await;
        within(
            "and its jobs are watched again",
            now() - at,
            Duration::from_secs(45),
        );
        let ran = scene.runs.len();
        assert!(scene.end().await >= ran);
    });
}

#[test]
fn what_a_worker_that_leaves_had_is_elsewhere_within_two_seconds() {
    measured(async {
        let mut scene = scene(Setup::apart(&PLANT, 3).worker(&["--grace", "100ms"])).await;
        let victim = scene.victim.clone();
        let at = now();
        scene.fleet.process(&victim).signal(Signal::TERM);
        let again = scene.runs_elsewhere().await - at;
        all_jobs_are_watched(&scene.fleet, scene.run, &victim).await;
        let watched = now() - at;
        scene.fleet.ended(&victim, MINUTE).await;
        let gone = now() - at;
        let two = Duration::from_secs(2);
        within("after SIGTERM of a worker its tasks run again", again, two);
        within("and its jobs are watched", watched, two);
        within("and it is gone", gone, two);
        scene.end().await;
    });
}

#[test]
fn a_worker_that_was_paused_past_its_lease_writes_nothing() {
    free(async {
        let setup = Setup::apart(&PLANT, 3).scheduler(&["--lease", "3s"]);
        let mut scene = scene(setup).await;
        let victim = scene.victim.clone();
        scene.fleet.process(&victim).signal(Signal::STOP);
        scene.runs_elsewhere().await;
        scene.fleet.process(&victim).signal(Signal::CONT);
        while !scene
            .fleet
            .process(&victim)
            .said()
            .contains("what ran here was ended")
        {
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        scene.fleet.ready().await;
        // Only now could anything end: what ran there before does not.
        scene.fleet.witness.take(HOLD);
        audit::ended(&scene.fleet, &[scene.run], MINUTE).await;
        for line in scene.fleet.witness.lines() {
            let late = line.pid == scene.pid && line.attempt == 1 && scene.runs.contains(&line.of);
            assert!(!(late && line.what == What::Ended), "{line:?}");
        }
        let attempts = audit::attempts(&scene.fleet, scene.run).await;
        let of_victim = attempts.iter().filter(|attempt| {
            attempt.number == 1 && attempt.worker.as_deref() == Some(victim.as_str())
        });
        for attempt in of_victim {
            // Its jobs went on without it; whoever watches them now ends them.
            let runs = attempt.end == AttemptEnd::Success;
            assert!(attempt.end == AttemptEnd::Lost || runs, "{attempt:?}");
        }
        let ran = scene.runs.len();
        assert!(scene.end().await >= ran);
    });
}
