//! One task, or one group, that becomes many.

use serde_json::{Value, json};
use tidemill_core::params::ParamSpec;
use tidemill_core::spec::{Definition, Over};
use tidemill_core::state::{RunState, TaskState, TriggerRule};

use super::drafts::{DagDraft as _, TaskDraft as _, dag, mapping, numbers, output_of, task};
use super::kit::Kit;

/// What each instance of `each` is mapped over.
fn items(kit: &Kit) -> Vec<Value> {
    let given = kit.given.iter().filter(|given| given.what.task == "each");
    let item = |text: &std::sync::Arc<str>| serde_json::from_str(text).expect("items are JSON");
    given
        .filter_map(|given| given.what.item.as_ref().map(item))
        .collect()
}

#[test]
fn lists_come_from_values_params_and_outputs() {
    let mut kit = Kit::of(dag("values", [task("each").mapped(&[numbers(3)])]));
    kit.trigger("values");
    assert_eq!(items(&kit), [json!(0), json!(1), json!(2)]);
    kit.given.clear();

    let over = [Over::Params(vec!["regions".to_owned()])];
    let params = dag("params", [task("each").mapped(&over)]).with(|dag| {
        dag.params = vec![ParamSpec::of::<Vec<String>>("regions").default_value(["eu"])]
    });
    kit.deploy(params);
    kit.trigger("params");
    assert_eq!(items(&kit), [json!("eu")]);
    kit.given.clear();
    kit.trigger_with("params", json!({ "regions": ["us", "asia"] }));
    assert_eq!(items(&kit), [json!("us"), json!("asia")]);
    kit.given.clear();

    let inside = Over::Output {
        task: super::drafts::task_id("list"),
        path: vec!["pages".to_owned()],
    };
    kit.deploy(dag(
        "outputs",
        [
            task("list"),
            task("each").after(&["list"]).mapped(&[inside]),
        ],
    ));
    let run = kit.trigger("outputs");
    kit.finish_with(run, "list", &json!({ "pages": [{ "n": 1 }, 2] }));
    assert_eq!(items(&kit), [json!({ "n": 1 }), json!(2)]);
}

#[test]
fn several_lists_are_crossed_or_zipped() {
    let mut kit = Kit::of(dag(
        "crossed",
        [task("each").mapped(&[numbers(2), numbers(2)])],
    ));
    kit.trigger("crossed");
    assert_eq!(
        items(&kit),
        [json!([0, 0]), json!([0, 1]), json!([1, 0]), json!([1, 1])]
    );
    kit.given.clear();

    let zipped = |id: &str, other: i32| {
        let task = task("each").mapped(&[numbers(2), numbers(other)]);
        let task = task.with(|spec| {
            if let Some(mapping) = &mut spec.mapping {
                mapping.zip = true;
            }
        });
        dag(id, [task])
    };
    kit.deploy(zipped("zipped", 2));
    kit.trigger("zipped");
    assert_eq!(items(&kit), [json!([0, 0]), json!([1, 1])]);

    kit.deploy(zipped("unequal", 3));
    let run = kit.trigger("unequal");
    assert_eq!(kit.state(run, "each"), TaskState::Failed);
    assert!(kit.why(run, "each").contains("equally long"));
}

fn over_list() -> Definition {
    let tasks = [
        task("list"),
        task("each").after(&["list"]).mapped(&[output_of("list")]),
        task("total").after(&["each"]),
    ];
    dag("d", tasks)
}

#[test]
fn what_is_no_list_fails_the_mapped_task_and_says_why() {
    let mut kit = Kit::of(over_list());
    for (output, words) in [(json!({ "a": 1 }), "an object"), (json!(5), "a number")] {
        let run = kit.trigger("d");
        kit.finish_with(run, "list", &output);
        assert_eq!(
            kit.states(run, &["each", "total"]),
            [TaskState::Failed, TaskState::UpstreamFailed]
        );
        assert!(
            kit.why(run, "each").contains(words),
            "{}",
            kit.why(run, "each")
        );
        assert_eq!(kit.run_state(run), RunState::Failed);
    }
    let run = kit.trigger("d");
    kit.finish(run, "list");
    assert!(kit.why(run, "each").contains("returned nothing"));
}

#[test]
fn a_source_that_was_skipped_skips_what_is_mapped_over_it() {
    let mut kit = Kit::of(over_list());
    let run = kit.trigger("d");
    kit.skip(run, "list");
    assert_eq!(kit.states(run, &["each", "total"]), [TaskState::Skipped; 2]);

    // Also where the rule alone would let it run: there is nothing to be mapped over.
    let free = over_list().with(|dag| dag.tasks[0].rule = TriggerRule::AllDone);
    let mut kit = Kit::of(free);
    let run = kit.trigger("d");
    kit.skip(run, "list");
    assert_eq!(kit.state(run, "each"), TaskState::Skipped);
    let run = kit.trigger("d");
    kit.fail(run, "list");
    assert_eq!(kit.state(run, "each"), TaskState::UpstreamFailed);
}

#[test]
fn a_mapped_task_as_a_whole_is_what_its_instances_are() {
    let mut kit = Kit::of(over_list());
    let run = kit.trigger("d");
    kit.finish_with(run, "list", &json!([1, 2, 3]));
    assert_eq!(kit.state(run, "each"), TaskState::Running);
    kit.finish(run, "each[0]");
    kit.skip(run, "each[1]");
    assert_eq!(
        kit.state(run, "total"),
        TaskState::Skipped,
        "one of its upstream instances was skipped"
    );
    kit.fail(run, "each[2]");
    assert_eq!(kit.state(run, "each"), TaskState::Failed);
    assert_eq!(
        kit.run_state(run),
        RunState::Success,
        "total is the leaf, and was skipped before"
    );

    kit.clear(run, &["each[2]"]);
    assert_eq!(kit.state(run, "each"), TaskState::Running);
    kit.finish(run, "each[2]");
    assert_eq!(kit.state(run, "each"), TaskState::Success);
    assert_eq!(
        kit.row(run, "each[0]").number,
        1,
        "the others were left alone"
    );
}

#[test]
fn a_task_after_a_mapped_one_waits_for_all_its_instances() {
    let mut kit = Kit::of(over_list());
    let run = kit.trigger("d");
    kit.finish_with(run, "list", &json!([1, 2]));
    kit.finish(run, "each[1]");
    assert_eq!(kit.state(run, "total"), TaskState::None);
    kit.finish(run, "each[0]");
    assert_eq!(kit.state(run, "total"), TaskState::Queued);
}

#[test]
fn a_task_that_is_not_expanded_yet_waits_for_everything_before_it() {
    let tasks = [
        task("list"),
        task("slow"),
        task("each")
            .after(&["list", "slow"])
            .rule(TriggerRule::OneSuccess)
            .mapped(&[output_of("list")]),
    ];
    let mut kit = Kit::of(dag("d", tasks));
    let run = kit.trigger("d");
    kit.finish_with(run, "list", &json!([1, 2]));
    assert_eq!(kit.state(run, "each"), TaskState::None);
    kit.fail(run, "slow");
    assert_eq!(
        kit.states(run, &["each[0]", "each[1]"]),
        [TaskState::Queued; 2]
    );
}

#[test]
fn what_instances_returned_is_a_list_to_be_mapped_over_again() {
    let tasks = [
        task("first").mapped(&[numbers(3)]),
        task("each")
            .after(&["first"])
            .rule(TriggerRule::AllDone)
            .mapped(&[output_of("first")]),
    ];
    let mut kit = Kit::of(dag("d", tasks));
    let run = kit.trigger("d");
    kit.finish_with(run, "first[2]", &json!("c"));
    kit.fail(run, "first[1]");
    kit.recover();
    kit.finish_with(run, "first[0]", &json!("a"));
    assert_eq!(
        items(&kit),
        [json!("a"), json!("c")],
        "of those that succeeded"
    );
}

/// A run whose list had so many elements, ended.
fn ended(kit: &mut Kit, count: i32) -> tidemill_core::protocol::RunNo {
    let run = kit.trigger("d");
    kit.finish_with(run, "list", &json!((0..count).collect::<Vec<i32>>()));
    kit.finish_all();
    assert_eq!(kit.run_state(run), RunState::Success);
    run
}

#[test]
fn a_list_that_became_shorter_removes_instances_and_a_longer_one_adds_some() {
    let mut kit = Kit::of(over_list());
    let run = ended(&mut kit, 3);
    kit.clear(run, &[]);
    assert_eq!(kit.state(run, "each"), TaskState::None);
    kit.finish_with(run, "list", &json!(["x"]));
    assert_eq!(
        kit.states(run, &["each[0]", "each[1]", "each[2]"]),
        [TaskState::Queued, TaskState::Removed, TaskState::Removed]
    );
    assert_eq!(kit.row(run, "each").instances, Some(1));
    kit.recover();
    kit.finish(run, "each[0]");
    assert_eq!(
        kit.state(run, "total"),
        TaskState::Queued,
        "what was removed is not waited for"
    );
    kit.finish(run, "total");
    assert_eq!(kit.run_state(run), RunState::Success);

    // What the list no longer has does not run again either.
    kit.clear(run, &["each"]);
    assert_eq!(
        kit.states(run, &["each[0]", "each[1]", "each[2]"]),
        [TaskState::Queued, TaskState::Removed, TaskState::Removed]
    );
    kit.finish(run, "each[0]");
    assert_eq!(kit.run_state(run), RunState::Success);

    kit.clear(run, &[]);
    kit.given.clear();
    kit.finish_with(run, "list", &json!([1, 2, 3, 4]));
    assert_eq!(items(&kit), [json!(1), json!(2), json!(3), json!(4)]);
    assert_eq!(kit.row(run, "each[3]").number, 1);
    assert_eq!(kit.row(run, "each[0]").number, 4);
    for name in ["each[0]", "each[1]", "each[2]", "each[3]", "total"] {
        kit.finish(run, name);
    }
    assert_eq!(kit.run_state(run), RunState::Success);
}

#[test]
fn a_list_that_became_empty_leaves_nothing_open_also_over_a_restart() {
    for next in [json!([]), Value::Null] {
        let mut kit = Kit::of(over_list());
        let run = ended(&mut kit, 2);
        kit.clear(run, &[]);
        kit.recover();
        if next.is_null() {
            kit.fail(run, "list");
        } else {
            kit.finish_with(run, "list", &next);
        }
        let ended = kit.run_state(run);
        assert!(matches!(ended, RunState::Success | RunState::Failed));
        assert_eq!(
            kit.states(run, &["each[0]", "each[1]"]),
            [TaskState::Removed; 2]
        );
        kit.recover();
        kit.clear(run, &[]);
        kit.finish_with(run, "list", &json!([7, 8]));
        kit.finish_all();
        assert_eq!(
            kit.states(run, &["each[0]", "each[1]", "total"]),
            [TaskState::Success; 3]
        );
    }
}

fn mapped_group() -> Definition {
    let tasks = [
        task("list"),
        task("g.a").in_group("g").after(&["list"]),
        task("g.b").in_group("g").after(&["g.a"]),
        task("last").after(&["g.b"]),
    ];
    dag("d", tasks).group("g", None, Some(mapping(&[output_of("list")])))
}

#[test]
fn a_failed_instance_of_a_mapped_group_stops_only_its_own_line() {
    let mut kit = Kit::of(mapped_group());
    let run = kit.trigger("d");
    kit.finish_with(run, "list", &json!([1, 2]));
    kit.fail(run, "g.a[0]");
    kit.finish(run, "g.a[1]");
    assert_eq!(
        kit.states(run, &["g.b[0]", "g.b[1]"]),
        [TaskState::UpstreamFailed, TaskState::Queued]
    );
    assert_eq!(kit.state(run, "last"), TaskState::UpstreamFailed);
    kit.finish(run, "g.b[1]");
    assert_eq!(kit.run_state(run), RunState::Failed);

    let changed = kit.ask(super::kit::clear(
        run,
        &["g.a[0]"],
        tidemill_scheduler::engine::Around {
            downstream: true,
            ..Default::default()
        },
    ));
    let names: Vec<_> = changed
        .unwrap()
        .tasks
        .iter()
        .map(|change| (change.name.to_string(), change.of.map_index))
        .collect();
    assert_eq!(
        names,
        [
            ("g.a".to_owned(), 0),
            ("g.b".to_owned(), 0),
            ("last".to_owned(), -1)
        ]
    );
    for name in ["g.a[0]", "g.b[0]", "last"] {
        kit.finish(run, name);
    }
    assert_eq!(kit.run_state(run), RunState::Success);
}

#[test]
fn a_mapped_group_over_nothing_is_skipped_and_over_a_failure_it_cannot_run() {
    let mut kit = Kit::of(mapped_group());
    let run = kit.trigger("d");
    kit.finish_with(run, "list", &json!([]));
    assert_eq!(
        kit.states(run, &["g.a", "g.b", "last"]),
        [TaskState::Skipped; 3]
    );
    assert_eq!(kit.run_state(run), RunState::Success);
    let run = kit.trigger("d");
    kit.fail(run, "list");
    assert_eq!(
        kit.states(run, &["g.a", "g.b", "last"]),
        [TaskState::UpstreamFailed; 3]
    );
    assert_eq!(kit.run_state(run), RunState::Failed);
    let run = kit.trigger("d");
    kit.skip(run, "list");
    assert_eq!(
        kit.states(run, &["g.a", "g.b", "last"]),
        [TaskState::Skipped; 3]
    );
}

#[test]
fn a_mapped_group_grows_and_shrinks_when_it_runs_again() {
    let mut kit = Kit::of(mapped_group());
    let run = ended(&mut kit, 2);
    for (count, instances) in [(1, 1), (3, 3), (2, 2)] {
        kit.clear(run, &[]);
        kit.finish_with(run, "list", &json!((0..count).collect::<Vec<i32>>()));
        kit.recover();
        kit.finish_all();
        let live: Vec<String> = kit
            .mirror
            .instances(run)
            .filter(|row| row.state != TaskState::Success)
            .map(|row| format!("{}[{}]", row.name, row.of.map_index))
            .collect();
        while kit.run_state(run) == RunState::Running {
            let open: Vec<_> = kit.held_by(super::kit::WORKER);
            assert!(!open.is_empty(), "{live:?} are stuck");
            for attempt in open {
                kit.report_as(super::kit::WORKER, attempt, super::kit::done());
            }
        }
        assert_eq!(kit.run_state(run), RunState::Success);
        assert_eq!(kit.row(run, "g.a").instances, Some(instances));
        let done = kit
            .mirror
            .instances(run)
            .filter(|row| row.name == *"g.b" && row.of.map_index >= 0);
        let done = done.filter(|row| row.state == TaskState::Success).count();
        assert_eq!(u32::try_from(done), Ok(instances));
    }
}

#[test]
fn one_instance_can_be_marked_and_one_that_is_not_there_cannot() {
    let mut kit = Kit::of(over_list());
    let run = kit.trigger("d");
    kit.finish_with(run, "list", &json!([1, 2]));
    kit.mark(run, &["each[0]"], TaskState::Success);
    kit.stop_all();
    kit.finish(run, "each[1]");
    assert_eq!(
        kit.states(run, &["each", "total"]),
        [TaskState::Success, TaskState::Queued]
    );
    let refused = kit.ask(super::kit::clear(run, &["each[2]"], Default::default()));
    assert!(refused.unwrap_err().to_string().contains("each[2]"));
}
