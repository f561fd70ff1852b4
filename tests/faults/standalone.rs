//! Everything in one process, on SQLite.

use std::time::Duration;

use rustix::process::Signal;
use tidemill_tests::audit;
use tidemill_tests::fleet::{Fleet, Setup};
use tidemill_tests::witness::What;

use crate::{MINUTE, PLANT, free, lines};

#[test]
fn after_kill_9_everything_goes_on_and_nothing_is_doubled() {
    free(async {
        let mut fleet = Fleet::start(Setup::standalone(&PLANT)).await;
        let mut runs = Vec::new();
        for nth in 0..3 {
            runs.push(fleet.trigger("mix", &format!("mix_{nth}")).await);
            runs.push(fleet.trigger("rows", &format!("rows_{nth}")).await);
            lines(&fleet, What::Started, 20 + 60 * nth).await;
            fleet.process("all").kill();
            fleet.heal();
            fleet.ready().await;
        }
        audit::ended(&fleet, &runs, MINUTE).await;
        let counts = audit::audit(&fleet, &runs).await;
        println!("{counts:?}");
        assert!(counts.lost > 0, "{counts:?}");
    });
}

#[test]
fn after_a_pause_longer_than_the_lease_everything_goes_on() {
    free(async {
        let setup = Setup::standalone(&PLANT).scheduler(&["--lease", "2s"]);
        let mut fleet = Fleet::start(setup).await;
        let run = fleet.trigger("rows", "first").await;
        lines(&fleet, What::Started, 10).await;
        fleet.process("all").signal(Signal::STOP);
        tokio::time::sleep(Duration::from_secs(3)).await;
        fleet.process("all").signal(Signal::CONT);
        audit::ended(&fleet, &[run], MINUTE).await;
        audit::audit(&fleet, &[run]).await;
    });
}
