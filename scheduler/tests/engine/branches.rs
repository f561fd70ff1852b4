//! Branches and short circuits: what is left out, what is not, and that they remember what they said.

use serde_json::json;
use tidemill_core::id::GroupId;
use tidemill_core::state::{RunState, TaskState, TriggerRule};
use tidemill_scheduler::engine::{Around, Command, RunVersion, Select, Selected};

use super::drafts::{
    DagDraft as _, TaskDraft as _, branch, dag, setup, short_circuit, task, teardown,
};
use super::kit::Kit;

fn fork() -> Kit {
    let tasks = [
        branch(
            "choose",
            &[("left", &["left"]), ("right", &["right"]), ("nowhere", &[])],
        ),
        task("left").after(&["choose"]),
        task("right").after(&["choose"]),
        task("more").after(&["right"]),
        task("join")
            .after(&["left", "more"])
            .rule(TriggerRule::NoneFailedMinOneSuccess),
    ];
    Kit::of(dag("d", tasks))
}

#[test]
fn what_a_branch_did_not_choose_is_skipped_with_all_that_follows() {
    let mut kit = fork();
    let run = kit.trigger("d");
    kit.finish_with(run, "choose", &json!(["left"]));
    assert_eq!(
        kit.states(run, &["right", "more", "join"]),
        [TaskState::Skipped, TaskState::Skipped, TaskState::None]
    );
    assert!(kit.why(run, "right").contains("chose left"));
    kit.finish(run, "left");
    kit.finish(run, "join");
    assert_eq!(kit.run_state(run), RunState::Success);
}

#[test]
fn a_branch_may_choose_several_ways_or_none() {
    let mut kit = fork();
    let run = kit.trigger("d");
    kit.finish_with(run, "choose", &json!(["right", "left"]));
    assert_eq!(kit.states(run, &["left", "right"]), [TaskState::Queued; 2]);

    for none in [json!([]), json!(["nowhere"])] {
        let run = kit.trigger("d");
        kit.finish_with(run, "choose", &none);
        assert_eq!(
            kit.states(run, &["left", "right", "more", "join"]),
            [TaskState::Skipped; 4]
        );
        assert_eq!(kit.run_state(run), RunState::Success);
    }
}

#[test]
fn a_join_that_also_comes_after_a_chosen_task_is_not_skipped() {
    let tasks = [
        branch("choose", &[("on", &["work"]), ("off", &["join"])]),
        task("work").after(&["choose"]),
        task("join")
            .after(&["choose", "work"])
            .rule(TriggerRule::NoneFailed),
    ];
    let mut kit = Kit::of(dag("d", tasks));
    let run = kit.trigger("d");
    kit.finish_with(run, "choose", &json!(["on"]));
    assert_eq!(kit.state(run, "join"), TaskState::None);
    kit.finish(run, "work");
    assert_eq!(kit.state(run, "join"), TaskState::Queued);

    let run = kit.trigger("d");
    kit.finish_with(run, "choose", &json!(["off"]));
    assert_eq!(
        kit.states(run, &["work", "join"]),
        [TaskState::Skipped, TaskState::Queued]
    );
}

#[test]
fn a_task_that_a_branch_left_out_is_skipped_again_when_it_alone_is_cleared() {
    let mut kit = fork();
    let run = kit.trigger("d");
    kit.finish_with(run, "choose", &json!(["left"]));
    kit.finish_all();
    kit.clear(run, &["right"]);
    assert_eq!(kit.state(run, "right"), TaskState::Skipped);
    assert_eq!(kit.run_state(run), RunState::Success);

    // With the branch cleared as well it is asked anew.
    kit.clear(run, &["choose", "left", "right", "more", "join"]);
    kit.finish_with(run, "choose", &json!(["right"]));
    assert_eq!(
        kit.states(run, &["left", "right"]),
        [TaskState::Skipped, TaskState::Queued]
    );
}

#[test]
fn a_branch_remembers_over_a_restart() {
    let mut kit = fork();
    let run = kit.trigger("d");
    kit.finish_with(run, "choose", &json!(["left"]));
    kit.recover();
    kit.clear(run, &["right"]);
    assert_eq!(kit.state(run, "right"), TaskState::Skipped);
    kit.finish(run, "left");
    kit.finish(run, "join");
    assert_eq!(kit.run_state(run), RunState::Success);
}

#[test]
fn labels_may_have_any_characters() {
    let tasks = [
        branch("choose", &[("a \"b\"\n", &["left"]), ("ü", &["right"])]),
        task("left").after(&["choose"]),
        task("right").after(&["choose"]),
    ];
    let mut kit = Kit::of(dag("d", tasks));
    let run = kit.trigger("d");
    kit.finish_with(run, "choose", &json!(["a \"b\"\n"]));
    assert_eq!(
        kit.states(run, &["left", "right"]),
        [TaskState::Queued, TaskState::Skipped]
    );
}

#[test]
fn a_branch_marked_as_succeeded_leads_everywhere() {
    let mut kit = fork();
    let run = kit.trigger("d");
    kit.mark(run, &["choose"], TaskState::Success);
    assert_eq!(kit.states(run, &["left", "right"]), [TaskState::Queued; 2]);
}

fn circuit(everything: bool) -> Kit {
    let tasks = [
        short_circuit("check", everything),
        setup("make"),
        task("next").after(&["check", "make"]),
        task("always").after(&["next"]).rule(TriggerRule::AllDone),
        teardown("remove", &["make"]).after(&["next"]),
    ];
    Kit::of(dag("d", tasks))
}

#[test]
fn a_closed_short_circuit_skips_everything_but_teardowns_whatever_the_rules_say() {
    let mut kit = circuit(true);
    let run = kit.trigger("d");
    kit.finish(run, "make");
    kit.finish_with(run, "check", &json!(false));
    assert_eq!(
        kit.states(run, &["next", "always"]),
        [TaskState::Skipped; 2]
    );
    assert_eq!(kit.state(run, "remove"), TaskState::Queued);
    kit.finish(run, "remove");
    assert_eq!(kit.run_state(run), RunState::Success);
}

#[test]
fn a_short_circuit_that_leaves_the_rest_to_the_rules_skips_what_is_directly_after_it() {
    let mut kit = circuit(false);
    let run = kit.trigger("d");
    kit.finish(run, "make");
    kit.finish_with(run, "check", &json!(false));
    assert_eq!(
        kit.states(run, &["next", "always", "remove"]),
        [TaskState::Skipped, TaskState::Queued, TaskState::Queued]
    );
}

#[test]
fn an_open_short_circuit_changes_nothing() {
    for everything in [true, false] {
        let mut kit = circuit(everything);
        let run = kit.trigger("d");
        kit.finish(run, "make");
        kit.finish_with(run, "check", &json!(true));
        assert_eq!(kit.state(run, "next"), TaskState::Queued);
    }
}

#[test]
fn a_closed_short_circuit_remembers_and_one_that_opens_lets_all_through() {
    let mut kit = circuit(true);
    let run = kit.trigger("d");
    kit.finish(run, "make");
    kit.finish_with(run, "check", &json!(false));
    kit.recover();
    kit.clear(run, &["always"]);
    assert_eq!(kit.state(run, "always"), TaskState::Skipped);
    kit.finish(run, "remove");
    assert_eq!(kit.run_state(run), RunState::Success);

    kit.clear(run, &[]);
    kit.finish(run, "make");
    kit.finish_with(run, "check", &json!(true));
    assert_eq!(
        kit.states(run, &["next", "always"]),
        [TaskState::Queued, TaskState::None]
    );
}

fn grouped() -> Kit {
    let tasks = [
        task("before"),
        task("g.a").in_group("g").after(&["before"]),
        task("g.h.b").in_group("g.h").after(&["g.a"]),
        task("after").after(&["g.h.b"]),
    ];
    let grouped = dag("d", tasks)
        .group("g", None, None)
        .group("g.h", Some("g"), None);
    Kit::of(grouped)
}

#[test]
fn a_group_is_cleared_and_marked_as_one() {
    let mut kit = grouped();
    let run = kit.trigger("d");
    kit.finish_all();
    let select = Select {
        run,
        tasks: Selected::Group(GroupId::parse("g").unwrap()),
    };
    let changed = kit.ask(Command::Clear {
        select: select.clone(),
        around: Around::default(),
        params: None,
        version: RunVersion::Keep,
        note: None,
    });
    let names: Vec<String> = changed
        .unwrap()
        .tasks
        .iter()
        .map(|change| change.name.to_string())
        .collect();
    assert_eq!(names, ["g.a", "g.h.b"], "and what is in groups inside it");
    assert_eq!(
        kit.states(run, &["before", "g.a", "after"]),
        [TaskState::Success, TaskState::Queued, TaskState::Success]
    );
    kit.ask(Command::Mark {
        select,
        around: Around::default(),
        state: TaskState::Failed,
        note: None,
    })
    .unwrap();
    assert_eq!(kit.states(run, &["g.a", "g.h.b"]), [TaskState::Failed; 2]);
    assert_eq!(
        kit.run_state(run),
        RunState::Success,
        "its leaf had succeeded"
    );

    let missing = Select {
        run,
        tasks: Selected::Group(GroupId::parse("G").unwrap()),
    };
    let refused = kit.ask(Command::Mark {
        select: missing,
        around: Around::default(),
        state: TaskState::Failed,
        note: None,
    });
    assert!(
        refused
            .unwrap_err()
            .to_string()
            .contains("did you mean `g`?")
    );
}
