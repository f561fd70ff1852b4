//! A new build comes while the old one works.

use rustix::process::Signal;
use serde_json::Value;
use tidemill_tests::audit;
use tidemill_tests::fleet::{Fleet, Setup};
use tidemill_tests::plant::HOLD;
use tidemill_tests::witness::What;

use crate::{MINUTE, PLANT, free, lines};

/// Waits until a worker is there, and takes orders or does not.
async fn is_there(fleet: &Fleet, name: &str, draining: bool) {
    fleet
        .until("a worker is there", MINUTE, async |fleet| {
            let answer = fleet.request("GET /api/v1/fleet", None).await?;
            let seen: Value = serde_json::from_str(&answer.body).ok()?;
            let mut workers = seen["workers"].as_array()?.iter();
            let found = workers.find(|worker| worker["name"] == name)?;
            (found["draining"] == draining).then_some(())
        })
        .await;
}

#[test]
fn a_rolling_restart_to_a_changed_dag_fails_no_task_and_runs_keep_their_version() {
    free(async {
        let setup = Setup::apart(&PLANT, 3)
            .scheduler(&["--default-pool-slots", "2000"])
            .worker(&["--grace", "60s"]);
        let mut fleet = Fleet::start(setup).await;
        fleet.witness.put(HOLD);
        let old = fleet.trigger("many", "old").await;
        lines(&fleet, What::Started, 500).await;
        for scheduler in fleet.schedulers() {
            fleet.restart(&scheduler, &[]).await;
            fleet.led().await;
        }
        for (nth, worker) in fleet.workers().into_iter().enumerate() {
            let new = format!("n{nth}");
            fleet.run_build(&new, &[], 2);
            is_there(&fleet, &new, false).await;
            fleet.process(&worker).signal(Signal::TERM);
            is_there(&fleet, &worker, true).await;
        }
        let new = fleet.trigger("many", "new").await;
        lines(&fleet, What::Started, 1_000).await;
        fleet.witness.take(HOLD);
        for worker in fleet.workers() {
            fleet.ended(&worker, MINUTE).await;
            let status = fleet.process(&worker).ended().unwrap();
            assert!(status.success(), "{worker}: {status}");
        }
        audit::ended(&fleet, &[old, new], MINUTE).await;
        let counts = audit::audit(&fleet, &[old, new]).await;
        println!("{counts:?}");
        assert_eq!(counts.attempts, counts.tasks, "each task was tried once");
        let read = fleet.store.load_runs(&[old, new]).await.unwrap();
        let version = |of| {
            read.runs
                .iter()
                .find(|run| run.id == of)
                .unwrap()
                .version
                .clone()
        };
        assert_ne!(version(old), version(new));
        let behind = |of| {
            let mut tasks = read.tasks.iter();
            tasks.any(|task| task.of.run == of && task.name.as_str() == "behind")
        };
        assert_eq!((behind(old), behind(new)), (false, true));
    });
}
