//! A PostgreSQL that stops under load.

use std::time::Duration;

use tidemill_postgres::How;
use tidemill_tests::audit;
use tidemill_tests::fleet::{Fleet, Setup};
use tidemill_tests::witness::What;

use crate::{MINUTE, PLANT, lines, measured, next_begin, now, within};

/// Longer than every lease of this test.
const OUTAGE: Duration = Duration::from_secs(6);

#[test]
fn after_an_outage_work_goes_on_within_five_seconds_and_no_attempt_is_lost() {
    measured(async {
        let short = ["--lease", "3s", "--lead-lease", "3s"];
        let mut fleet = Fleet::start(Setup::apart(&PLANT, 2).scheduler(&short)).await;
        let run = fleet.trigger("rows", "first").await;
        for (nth, how) in [How::Fast, How::Immediate].into_iter().enumerate() {
            lines(&fleet, What::Ended, 20 + 80 * nth).await;
            fleet.cluster.as_mut().unwrap().stop(how);
            tokio::time::sleep(OUTAGE).await;
            let began = now();
            fleet.cluster.as_mut().unwrap().go_on();
            let back = now();
            let next = next_begin(&fleet, began).await;
            let what = format!("after PostgreSQL is back ({how:?}) the next task begins");
            within(&what, (next - back).max(0), Duration::from_secs(5));
        }
        audit::ended(&fleet, &[run], MINUTE).await;
        let counts = audit::audit(&fleet, &[run]).await;
        assert_eq!((counts.attempts, counts.lost), (counts.tasks, 0));
    });
}
