//! Runs that start again with another version of their DAG, or with other params.

use serde_json::json;
use tidemill_core::operator::TaskError;
use tidemill_core::params::ParamSpec;
use tidemill_core::protocol::RunNo;
use tidemill_core::span::hours;
use tidemill_core::state::{RunState, TaskState};
use tidemill_core::version::Version;
use tidemill_scheduler::engine::{Around, Command, Refusal, RunVersion};

use super::commands::{DOWN, chain, ended};
use super::drafts::{DagDraft as _, TaskDraft as _, dag, task};
use super::kit::{Kit, WORKER, clear, select};

fn restart(run: RunNo, tasks: &[&str], version: RunVersion) -> Command {
    let Command::Clear { select, around, .. } = clear(run, tasks, DOWN) else {
        unreachable!("it is a clear")
    };
    Command::Clear {
        select,
        around,
        params: None,
        version,
        note: Some("with the fix".into()),
    }
}

fn versions() -> (Kit, RunNo, Version, Version) {
    let mut kit = Kit::new();
    let old = kit.deploy(chain());
    let run = ended(&mut kit);
    // `a` and `b` are gone, `aa` and `y` are new: what stays has another place.
    let newer = [
        task("aa"),
        task("c").after(&["aa"]),
        task("x"),
        task("y").after(&["x"]),
    ];
    let new = kit.deploy(dag("d", newer));
    (kit, run, old, new)
}

#[test]
fn a_run_that_starts_again_may_take_another_version_and_go_back() {
    let (mut kit, run, old, new) = versions();
    assert_eq!(kit.run(run).version, old);
    kit.ask(restart(run, &["x"], RunVersion::Newest)).unwrap();
    assert_eq!(kit.run(run).version, new);
    assert_eq!(kit.run(run).note.as_deref(), Some("with the fix"));
    let mut given = kit.assigned();
    given.sort();
    given.dedup();
    assert!(
        given.contains(&"x".to_owned()) && given.contains(&"aa".to_owned()),
        "{given:?}"
    );
    assert_eq!(kit.states(run, &["a", "b"]), [TaskState::Removed; 2]);
    assert_eq!(
        kit.state(run, "c"),
        TaskState::Success,
        "nobody asked for it"
    );
    for name in ["x", "aa", "y"] {
        kit.finish(run, name);
    }
    assert_eq!(kit.run_state(run), RunState::Success);

    kit.ask(restart(run, &["c"], RunVersion::This(old.clone())))
        .unwrap();
    assert_eq!(kit.run(run).version, old);
    assert_eq!(kit.states(run, &["aa", "y"]), [TaskState::Removed; 2]);
    kit.recover();
    kit.given.clear();
    while kit.run_state(run) == RunState::Running {
        let open = kit.held_by(WORKER);
        assert!(
            !open.is_empty(),
            "{:?}",
            kit.mirror.instances(run).collect::<Vec<_>>()
        );
        for attempt in open {
            kit.report_as(WORKER, attempt, super::kit::done());
        }
    }
    assert_eq!(kit.states(run, &["a", "b", "c"]), [TaskState::Success; 3]);
    assert_eq!(
        kit.row(run, "a").number,
        2,
        "it was put back as it was, and ran again"
    );
    assert_eq!(kit.mirror.instances(run).count(), 6);
}

#[test]
fn a_version_cannot_change_under_attempts_that_are_on() {
    let mut kit = Kit::of(chain());
    let run = kit.trigger("d");
    kit.deploy(dag("d", [task("a"), task("z")]));
    let refusal = kit.ask(restart(run, &[], RunVersion::Newest)).unwrap_err();
    assert!(
        refusal.to_string().contains("cancel it before"),
        "{refusal}"
    );
    let unknown = RunVersion::This(Version::of(&dag("e", [])));
    assert!(matches!(
        kit.ask(restart(run, &[], unknown)),
        Err(Refusal::Unknown { .. })
    ));
}

#[test]
fn what_waited_in_a_running_run_goes_on_under_the_new_version() {
    let limited = |tasks| dag("d", tasks).with(|dag| dag.active_tasks_per_run_max = Some(1));
    let first = [
        task("m").pool("p", 1),
        task("r").retries(1, hours(1)),
        task("z").pool("p", 1),
    ];
    let mut kit = Kit::of(limited(first.to_vec()));
    let run = kit.trigger("d");
    // `m` and `z` wait for a pool that nobody made, `r` for its second try.
    kit.fail_with(run, "r", TaskError::transient("503"));
    let second = [
        task("b"),
        task("m").pool("p", 1),
        task("r").retries(1, hours(1)),
        task("z").pool("p", 1),
    ];
    kit.deploy(limited(second.to_vec()));
    let around = Around {
        only_failed: true,
        ..Around::default()
    };
    let Command::Clear { select, .. } = clear(run, &[], around) else {
        unreachable!("it is a clear")
    };
    let command = Command::Clear {
        select,
        around,
        params: None,
        version: RunVersion::Newest,
        note: None,
    };
    kit.ask(command).unwrap();
    assert_eq!(
        kit.states(run, &["b", "m", "z"]),
        [
            TaskState::Queued,
            TaskState::Scheduled,
            TaskState::Scheduled
        ]
    );
    super::acceptance::set_pool(&mut kit, "p", Some(5));
    assert_eq!(
        kit.states(run, &["m", "z"]),
        [TaskState::Scheduled; 2],
        "one at a time"
    );
    kit.assigned();
    kit.finish(run, "b");
    assert_eq!(kit.assigned(), ["m"]);
    kit.finish(run, "m");
    kit.finish(run, "z");
    assert_eq!(kit.state(run, "r"), TaskState::UpForRetry);
    kit.advance(hours(1));
    kit.finish(run, "r");
    assert_eq!(kit.run_state(run), RunState::Success);
}

#[test]
fn a_restart_may_have_other_params() {
    let with = chain().with(|dag| dag.params = vec![ParamSpec::of::<u32>("n").default_value(1)]);
    let mut kit = Kit::of(with);
    let run = ended(&mut kit);
    let again = |value| Command::Clear {
        select: select(run, &["b"]),
        around: DOWN,
        params: Some(value),
        version: RunVersion::Keep,
        note: None,
    };
    assert!(kit.ask(again(json!({ "n": "many" }))).is_err());
    assert_eq!(kit.run_state(run), RunState::Success);
    kit.ask(again(json!({ "n": 9 }))).unwrap();
    assert_eq!(&*kit.run(run).params, "{\"n\":9}");
    assert_eq!(&*kit.given.last().unwrap().what.params, "{\"n\":9}");
}
