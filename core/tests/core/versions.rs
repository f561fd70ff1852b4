//! The version: changed by what matters to a run, by nothing else, and the same everywhere.

use tidemill_core::author::DagBuilder;
use tidemill_core::prelude::*;
use tidemill_core::version::Version;

fn version<R>(write: impl FnOnce(&DagBuilder) -> R) -> Version {
    let dag = Dag::build("shop", write);
    assert_eq!(dag.problems(), []);
    dag.spec().version()
}

fn plain(dag: &DagBuilder) {
    dag.schedule(Cron::daily());
    let a = dag.empty("a");
    dag.empty("b").after(&a);
}

#[test]
fn docs_tags_owners_lines_and_order_do_not_matter() {
    let other = version(|dag| {
        let b = dag.empty("b").doc("text").tag("x").owner("me");
        dag.empty("a").before(&b);
        dag.schedule(Cron::daily())
            .doc("much text")
            .tag("y")
            .owner("us");
    });
    assert_eq!(other, version(plain));
}

#[test]
fn everything_that_changes_a_run_does_matter() {
    let base = version(plain);
    let changed: Vec<Version> = vec![
        version(|dag| {
            plain(dag);
            dag.schedule(Cron::hourly());
        }),
        version(|dag| {
            plain(dag);
            dag.catchup(true).start("2025-01-01");
        }),
        version(|dag| {
            plain(dag);
            dag.retry(Retry::times(1));
        }),
        version(|dag| {
            plain(dag);
            dag.empty("c");
        }),
        version(|dag| {
            plain(dag);
            dag.on_failure(Alert::to("oncall"));
        }),
        version(|dag| {
            dag.schedule(Cron::daily());
            dag.empty("a");
            dag.empty("b");
        }),
    ];
    for (nth, version) in changed.iter().enumerate() {
        assert_ne!(*version, base, "change {nth}");
        assert!(
            !changed[..nth].contains(version),
            "change {nth} is not told from an earlier one"
        );
    }
}

#[test]
fn the_version_is_the_same_on_every_machine() {
    // A new value here means that every deployed DAG gets a new version: only with a reason, and said in the changelog.
    assert_eq!(
        version(plain).as_str(),
        "bff371d3a86dced8a2a81fcf2daa0ae7eccd5680666b1815e5c9122858a29075"
    );
}
