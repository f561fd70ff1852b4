//! Checks of data: outputs that need not be there, writes that wipe each other out, texts in Airflow's braces.

use tidemill_core::prelude::*;
use tidemill_core::{Problem, Rule};
use tidemill_macros::task;

use crate::checks::{Way, choose, only, problems, take, work};

#[task]
fn join(left: u64, right: u64) -> TaskResult<u64> {
    Ok(left + right)
}

#[test]
fn a_join_cannot_take_what_both_ways_return() {
    let found = problems(|dag| {
        let (left, right) = (dag.call("left", work, ()), dag.call("right", work, ()));
        dag.branch("choose", choose, ())
            .when(Way::Left, &left)
            .when(Way::Right, &right);
        dag.call("join", join, (&left, &right))
            .rule(TriggerRule::NoneFailedMinOneSuccess);
    });
    assert_eq!(
        found.iter().map(|problem| problem.rule).collect::<Vec<_>>(),
        [Rule::MissingOutput; 2]
    );
    assert!(found[0].help.contains("Option"));
}

#[test]
fn a_text_cannot_take_an_output_that_need_not_be_there() {
    only(Rule::MissingOutput, "`first`", "Option", |dag| {
        let first = dag.call("first", work, ());
        dag.call("take", take, "{out.first}")
            .after(&first)
            .rule(TriggerRule::AllDone);
    });
}

#[test]
fn a_task_behind_a_branch_belongs_to_a_way() {
    only(Rule::Branch, "no way leads to it", "", |dag| {
        let left = dag.call("left", work, ());
        let branch = dag
            .branch("choose", choose, ())
            .when(Way::Left, &left)
            .when(Way::Right, ());
        dag.empty("audit").after(&branch);
    });
    let fine = problems(|dag| {
        let left = dag.call("left", work, ());
        let branch = dag
            .branch("choose", choose, ())
            .when(Way::Left, &left)
            .when(Way::Right, ());
        dag.empty("join").after(&branch).after(&left);
    });
    assert_eq!(fine, []);
}

fn partition(schedule: &str, zone: &str, partition: &str) -> Vec<Problem> {
    problems(|dag| {
        dag.schedule(Cron::new(schedule).tz(zone))
            .start("2025-01-01");
        dag.empty("load")
            .writes(Table::named("shop.orders").append(Dedup::partition(partition)));
    })
}

#[test]
fn runs_that_share_a_partition_are_found() {
    let found = partition("@hourly", "UTC", "{ds}");
    let [problem] = found.as_slice() else {
        panic!("{found:#?}")
    };
    assert_eq!(problem.rule, Rule::Overwrite);
    assert!(
        problem
            .message
            .contains("replace the same partition `2025-01-01`"),
        "{problem}"
    );
    assert_eq!(partition("@daily", "Europe/Berlin", "{ds}"), []);
    assert_eq!(partition("@daily", "UTC", "all").len(), 1);
    assert_eq!(partition("@daily", "UTC", "{run_id}"), []);
}

#[test]
fn the_hour_that_comes_twice_is_found() {
    for zone in ["Europe/Berlin", "America/New_York", "Australia/Sydney"] {
        let found = partition("@hourly", zone, "{interval_start:%Y%m%d%H}");
        assert_eq!(
            found.iter().map(|problem| problem.rule).collect::<Vec<_>>(),
            [Rule::Overwrite],
            "{zone}"
        );
        assert!(found[0].help.contains("interval_start_utc"));
        assert_eq!(
            partition("@hourly", zone, "{interval_start_utc:%Y%m%d%H}"),
            [],
            "{zone}"
        );
    }
}

#[test]
fn instances_that_wipe_each_other_out_are_found() {
    let mapped = |to: Destination| problems(|dag| dag.map("load", take, ["a", "b"]).writes(to));
    for to in [
        Table::named("t").truncate(),
        Table::named("t").append(Dedup::partition("{ds}")),
    ] {
        let found = mapped(to);
        assert_eq!(
            found.iter().map(|problem| problem.rule).collect::<Vec<_>>(),
            [Rule::Overwrite]
        );
    }
    for to in [
        Table::named("t_{item}").truncate(),
        Table::named("t").append(Dedup::partition("{ds}_{map_index}")),
        Table::named("t").append(Dedup::key(["id"])),
        Table::named("t").append(Dedup::job_id()),
        Table::named("t").merge(["id"]),
    ] {
        assert_eq!(mapped(to), []);
    }
}

#[test]
fn a_merge_by_nothing_is_refused() {
    let none: [&str; 0] = [];
    only(Rule::Setting, "no column", "", |dag| {
        dag.empty("a")
            .writes(Table::named("t").append(Dedup::key(none)))
    });
}

#[test]
fn jinja_is_told_from_literal_braces() {
    only(Rule::Placeholder, "how Jinja writes it", "", |dag| {
        dag.call("take", take, "x {{ ds }}")
    });
    only(Rule::Placeholder, "how Jinja writes it", "", |dag| {
        dag.call("take", take, "{{ data_interval_start }}")
    });
    assert_eq!(
        problems(|dag| dag.call("take", take, "{{ds}} {{ }} {{ \"a\": 1 }}")),
        []
    );
}

#[test]
fn a_date_format_that_cannot_be_written_is_refused() {
    only(Rule::Placeholder, "`%#z` is not a date format", "", |dag| {
        dag.call("take", take, "{interval_start:%#z}")
    });
}

#[test]
fn impossible_times_are_problems_and_never_panics() {
    only(Rule::Schedule, "outside the years", "", |dag| {
        dag.start("-262143-01-01");
        dag.empty("a");
    });
    only(Rule::Setting, "hundred years", "", |dag| {
        dag.empty("a").timeout(std::time::Duration::MAX)
    });
}

#[test]
fn an_asset_that_nobody_changes_is_found() {
    let waits = |uri: &'static str| {
        move || {
            Dag::build("waits", |dag| {
                dag.schedule(&Asset::new(uri));
                dag.empty("a");
            })
        }
    };
    let makes = || {
        Dag::build("makes", |dag| {
            dag.empty("a").outlet(&Asset::new("bigquery://shop/orders"))
        })
    };
    let found = Dags::new()
        .dag(makes)
        .dag(waits("bigquery://shop/ordres"))
        .validate()
        .problems;
    let [problem] = found.as_slice() else {
        panic!("{found:#?}")
    };
    assert_eq!(problem.rule, Rule::UnknownAsset);
    assert_eq!(problem.help, "did you mean `bigquery://shop/orders`?");
    let fine = Dags::new()
        .dag(makes)
        .dag(waits("bigquery://shop/orders"))
        .validate()
        .problems;
    assert_eq!(fine, []);
    let outside = Dags::new()
        .outside_asset("gs://theirs")
        .dag(waits("gs://theirs"))
        .validate()
        .problems;
    assert_eq!(outside, []);
}

#[test]
fn what_a_task_needs_is_known_before_it_runs() {
    let dag = Dag::build("d", |dag| {
        let first = dag.call("first", work, ());
        dag.call("second", work, ());
        dag.call("join", join, (&first, 1_u64));
        dag.call("take", take, "{var.bucket}/{out.second}");
    });
    let definition = &dag.spec().definition;
    let needs =
        |id: &str| tidemill_core::check::needs(definition, definition.task(id).expect("a task"));
    assert!(needs("take").variables.contains("bucket") && needs("take").outputs.contains("second"));
    assert!(
        needs("join").outputs.contains("first")
            && needs("first") == tidemill_core::check::Needs::default()
    );
}
