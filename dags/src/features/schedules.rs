//! When DAGs run: by the clock, at a distance, on dates, without a pause, and when data has changed.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidemill::prelude::*;

use super::{about, say};

pub(super) fn all() -> Vec<Dag> {
    vec![
        cron_in_a_zone(),
        fixed_distance(),
        on_dates(),
        once(),
        without_end(),
        by_hand(),
        assets_made(),
        all_assets(),
        any_asset_or_monthly(),
    ]
}

fn covers(dag: &DagBuilder) {
    dag.call(
        "say",
        say,
        "this run covers {interval_start} to {interval_end}",
    );
}

/// Cron expressions in a time zone: in spring and autumn the run stays at 06:30 by the clock on the wall.
fn cron_in_a_zone() -> Dag {
    Dag::build("example_cron", |dag| {
        about(
            dag,
            "On weekdays at 06:30 and on Saturdays at 9, in Berlin.",
        );
        dag.schedule(Cron::any(["30 6 * * MON-FRI", "0 9 * * SAT"]).tz("Europe/Berlin"))
            .start("2025-01-01")
            .overlap(Overlap::Skip);
        covers(dag);
    })
}

/// A fixed distance, counted from the start; what was missed is made up for.
fn fixed_distance() -> Dag {
    Dag::build("example_every", |dag| {
        about(dag, "Every 90 minutes, six times; each missed run is made.");
        dag.schedule(Every::minutes(90))
            .start("2025-01-01")
            .end("2025-01-01T09:00:00Z")
            .catchup(true);
        covers(dag);
    })
}

/// Dates that no rule describes.
fn on_dates() -> Dag {
    Dag::build("example_dates", |dag| {
        about(dag, "When the quarters of 2025 are closed.");
        dag.schedule(At::dates([
            "2025-04-04",
            "2025-07-03",
            "2025-10-06T18:00:00Z",
        ]));
        covers(dag);
    })
}

/// A single run.
fn once() -> Dag {
    Dag::build("example_once", |dag| {
        about(dag, "Once, to move something.");
        dag.schedule("@once").start("2025-01-01");
        covers(dag);
    })
}

/// Waits without holding a slot.
#[derive(Debug, Serialize, Deserialize)]
struct Pause {
    seconds: u64,
}

impl Operator for Pause {
    const NAME: &'static str = "example.pause";
    type Output = ();

    async fn run(&self, _: &TaskContext) -> TaskResult<Outcome<()>> {
        Ok(Outcome::Deferred {
            handle: Value::Null,
            wait: seconds(self.seconds),
            why: "a pause before the next run".to_owned(),
        })
    }

    async fn resume(&self, _: &TaskContext, _: Value) -> TaskResult<Outcome<()>> {
        Ok(Outcome::Done(()))
    }
}

/// Again as soon as the last run has ended; its last task is a pause that costs nothing.
fn without_end() -> Dag {
    Dag::build("example_continuous", |dag| {
        about(dag, "Again and again, with five minutes between.");
        dag.schedule("@continuous")
            .start("2025-01-01")
            .max_active_runs(1);
        let said = dag.call("say", say, "once more: {run_id}");
        dag.add("pause", Pause { seconds: 300 }).after(&said);
    })
}

/// Without a schedule a DAG runs when somebody asks.
fn by_hand() -> Dag {
    Dag::build("example_by_hand", |dag| {
        about(dag, "Only when somebody asks.");
        covers(dag);
    })
}

fn half(name: &str) -> Asset {
    Asset::new(format!("example://{name}"))
}

/// Changes two assets; who waits for them runs after that.
fn assets_made() -> Dag {
    Dag::build("example_assets_made", |dag| {
        about(dag, "Changes two assets.");
        for name in ["left", "right"] {
            dag.call(name, say, "made {task_id}").outlet(&half(name));
        }
    })
}

/// When both have changed since the last run.
fn all_assets() -> Dag {
    Dag::build("example_assets_all", |dag| {
        about(dag, "When both assets have changed.");
        dag.schedule(AssetExpr::all([half("left"), half("right")]));
        covers(dag);
    })
}

/// When one of them has changed, and on the first of each month.
fn any_asset_or_monthly() -> Dag {
    Dag::build("example_assets_any", |dag| {
        about(dag, "When one of the assets has changed, and monthly.");
        let either = AssetExpr::any([half("left"), half("right")]);
        dag.schedule(either.or(Cron::new("0 7 1 * *").tz("Europe/Berlin").ticks()));
        covers(dag);
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidemill::testing::{DagRun, valid};

    #[test]
    fn the_run_without_end_pauses_before_it_is_over() {
        let ran = DagRun::of(&valid(without_end())).run();
        ran.assert_success();
        assert_eq!(
            (ran.took(), ran.began("pause")),
            (minutes(5), Some(seconds(0)))
        );
    }

    #[test]
    fn both_assets_are_changed() {
        let ran = DagRun::of(&valid(assets_made())).run();
        assert_eq!(ran.assets(), ["example://left", "example://right"]);
        assert_eq!(ran.output::<String>("left"), "made left");
    }

    #[test]
    fn the_day_on_which_clocks_change_is_shorter() {
        let ran = DagRun::of(&valid(cron_in_a_zone())).day("2025-03-30").run();
        let said = "this run covers 2025-03-30T00:00:00+01:00 to 2025-03-31T00:00:00+02:00";
        assert_eq!(ran.output::<String>("say"), said);
    }
}
