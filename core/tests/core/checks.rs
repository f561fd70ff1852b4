//! Every graph check: what it finds, what it says, and that it leaves honest DAGs alone.

use std::sync::atomic::{AtomicU32, Ordering};

use tidemill_core::author::DagBuilder;
use tidemill_core::prelude::*;
use tidemill_core::{Problem, Rule};
use tidemill_macros::{Choice, params, task};

#[task]
pub(crate) fn work() -> TaskResult<u64> {
    Ok(1)
}

#[task]
fn words() -> TaskResult<Vec<String>> {
    Ok(vec![])
}

#[task]
pub(crate) fn take(word: String) -> TaskResult<u64> {
    Ok(word.len() as u64)
}

#[derive(Choice)]
pub(crate) enum Way {
    Left,
    Right,
}

#[task]
pub(crate) fn choose() -> TaskResult<Way> {
    Ok(Way::Left)
}

#[task]
fn choose_some() -> TaskResult<Vec<Way>> {
    Ok(vec![Way::Right])
}

pub(crate) fn problems<R>(write: impl FnOnce(&DagBuilder) -> R) -> Vec<Problem> {
    Dag::build("d", write).problems().to_vec()
}

#[track_caller]
pub(crate) fn only<R>(rule: Rule, says: &str, helps: &str, write: impl FnOnce(&DagBuilder) -> R) {
    let found = problems(write);
    let [problem] = found.as_slice() else {
        panic!("expected one problem, found {found:#?}")
    };
    assert_eq!(problem.rule, rule, "{problem}");
    assert!(problem.message.contains(says), "{problem}");
    assert!(problem.help.contains(helps), "{problem}");
    let source = problem
        .source
        .as_ref()
        .unwrap_or_else(|| panic!("no source: {problem}"));
    assert!(source.file.ends_with("checks.rs"), "{source}");
}

#[test]
fn a_cycle_is_shown_with_its_path() {
    only(Rule::Cycle, "a → b → c → a", "remove one", |dag| {
        let a = dag.empty("a");
        let b = dag.empty("b").after(&a);
        let c = dag.empty("c").after(&b);
        dag.edge(&c, &a);
    });
    only(Rule::Cycle, "a → a", "remove one", |dag| {
        let a = dag.empty("a");
        dag.edge(&a, &a);
    });
}

#[test]
fn two_cycles_are_two_problems_and_long_ones_are_shortened() {
    let found = problems(|dag| {
        for ring in ["x", "y"] {
            let tasks: Vec<_> = (0..30)
                .map(|n| dag.empty(&format!("{ring}{n:02}")))
                .collect();
            for n in 0..30 {
                dag.edge(&tasks[n], &tasks[(n + 1) % 30]);
            }
        }
    });
    assert_eq!(
        found.iter().map(|problem| problem.rule).collect::<Vec<_>>(),
        [Rule::Cycle, Rule::Cycle]
    );
    assert!(found[0].message.contains("→ … →"), "{}", found[0]);
}

#[test]
fn names_are_checked_and_unique() {
    only(Rule::DuplicateId, "named `a`", "rename", |dag| {
        dag.empty("a");
        dag.empty("a");
    });
    only(Rule::MalformedId, "a b", "letters, digits", |dag| {
        dag.empty("a b")
    });
    only(Rule::MalformedId, "must not have a dot", "groups", |dag| {
        dag.empty("a.b")
    });
    let long = "x".repeat(201);
    only(Rule::MalformedId, "at most 200", "", |dag| dag.empty(&long));
    let dag = Dag::build("bad name", |dag| dag.empty("a"));
    assert_eq!(dag.problems()[0].rule, Rule::MalformedId);
}

#[test]
fn edges_into_nothing_name_what_was_meant() {
    only(
        Rule::UnknownUpstream,
        "`extrct`",
        "did you mean `extract`?",
        |dag| {
            dag.empty("extract");
            dag.empty("load").after("extrct");
        },
    );
}

#[test]
fn handles_of_another_dag_are_refused() {
    let mut stolen = None;
    Dag::build("other", |dag| stolen = Some(dag.call("words", words, ())));
    let stolen = stolen.expect("set by the builder");
    only(Rule::UnknownUpstream, "another DAG", "asset", |dag| {
        dag.empty("a").after(&stolen)
    });
    only(Rule::UnknownUpstream, "another DAG", "asset", |dag| {
        dag.map("take", take, &stolen)
    });
}

#[test]
fn placeholders_are_checked_when_the_dag_is_built() {
    only(
        Rule::Placeholder,
        "`{interval_strat}`",
        "`{interval_start}`",
        |dag| {
            dag.call("take", take, "gs://x/{interval_strat:%Y}");
        },
    );
    only(
        Rule::Placeholder,
        "`{data_interval_start}`",
        "`{interval_start}`",
        |dag| {
            dag.call("take", take, "{data_interval_start}");
        },
    );
    only(
        Rule::Placeholder,
        "`%Q` is not a date format",
        "strftime",
        |dag| dag.call("take", take, "{interval_end:%Q}"),
    );
    only(
        Rule::Placeholder,
        "`{out.wrk}` names no task",
        "`{out.work}`",
        |dag| {
            dag.call("work", work, ());
            dag.call("take", take, "{out.wrk}");
        },
    );
    only(Rule::Placeholder, "has no value", "does something", |dag| {
        dag.empty("nothing");
        dag.call("take", take, "{out.nothing}");
    });
    only(Rule::Placeholder, "not mapped", "map it", |dag| {
        dag.call("take", take, "{item.name}")
    });
    only(
        Rule::Placeholder,
        "no param `regoin`",
        "did you mean `region`?",
        |dag| {
            dag.params::<Region>();
            dag.call("take", take, "{params.regoin}");
        },
    );
}

#[params]
struct Region {
    #[param(default = "eu")]
    region: String,
}

#[test]
fn a_rule_that_can_never_pass_is_found() {
    only(
        Rule::RuleNeverPasses,
        "one_failed can never pass: `join` cannot fail",
        "another rule",
        |dag| {
            let join = dag.empty("join");
            dag.call("notify", work, ())
                .after(&join)
                .rule(TriggerRule::OneFailed);
        },
    );
    only(Rule::RuleNeverPasses, "cannot be skipped", "", |dag| {
        let first = dag.empty("first");
        dag.empty("last")
            .after(&first)
            .rule(TriggerRule::AllSkipped);
    });
    // The same rules behind something that can fail or be skipped are fine.
    let fine = problems(|dag| {
        let first = dag.call("first", work, ());
        let second = dag.call("second", work, ()).after(&first);
        dag.empty("notify")
            .after((&first, &second))
            .rule(TriggerRule::OneFailed);
    });
    assert_eq!(fine, []);
}

#[test]
fn a_join_that_every_way_skips_is_found() {
    let join_with = |rule: TriggerRule| {
        problems(move |dag| {
            let (left, right) = (dag.empty("left"), dag.empty("right"));
            let further = dag.empty("further").after(&right);
            dag.branch("which", choose, ())
                .when(Way::Left, &left)
                .when(Way::Right, &right);
            let join = dag.empty("join").after((&left, &further)).rule(rule);
            dag.empty("after_join").after(&join);
        })
    };
    let found = join_with(TriggerRule::AllSuccess);
    let [problem] = found.as_slice() else {
        panic!("{found:#?}")
    };
    assert_eq!(
        (problem.rule, problem.task.as_deref()),
        (Rule::AlwaysSkipped, Some("join"))
    );
    assert!(problem.help.contains("NoneFailedMinOneSuccess"));
    for rule in [
        TriggerRule::NoneFailedMinOneSuccess,
        TriggerRule::NoneFailed,
        TriggerRule::OneSuccess,
        TriggerRule::AllDone,
    ] {
        assert_eq!(join_with(rule), [], "{rule}");
    }
}

#[test]
fn a_branch_that_may_take_several_ways_does_not_always_skip() {
    let fine = problems(|dag| {
        let (left, right) = (dag.empty("left"), dag.empty("right"));
        dag.branch("which", choose_some, ())
            .when(Way::Left, &left)
            .when(Way::Right, &right);
        dag.empty("join").after((&left, &right));
    });
    assert_eq!(fine, []);
}

#[test]
fn a_way_that_leads_nowhere_must_be_said() {
    only(Rule::Branch, "`right` leads nowhere", "`.when(", |dag| {
        let left = dag.empty("left");
        dag.branch("which", choose, ()).when(Way::Left, &left);
    });
    let said = problems(|dag| {
        let left = dag.empty("left");
        dag.branch("which", choose, ())
            .when(Way::Left, &left)
            .when(Way::Right, ());
    });
    assert_eq!(said, []);
}

#[test]
fn mapping_needs_a_list_that_can_be_there() {
    only(Rule::Mapping, "empty list", "elements", |dag| {
        dag.map("take", take, Vec::<String>::new())
    });
    only(Rule::Mapping, "20000 instances", "at_most", |dag| {
        let many: Vec<String> = (0..20_000).map(|n| n.to_string()).collect();
        dag.map("take", take, many);
    });
    only(Rule::Mapping, "inside a mapped group", "flatten", |dag| {
        dag.map_group("g", ["a"], |group, item: In<String>| {
            group.map("inner", take, ["x"]);
            group.call("take", take, &item)
        });
    });
    only(Rule::RuleNeverPasses, "all_failed", "", |dag| {
        let nothing = dag.empty("nothing");
        dag.call("words", words, ())
            .after(&nothing)
            .rule(TriggerRule::AllFailed);
    });
}

#[test]
fn teardowns_belong_to_setups() {
    only(
        Rule::Teardown,
        "`create`, which is no setup",
        ".setup()",
        |dag| {
            let create = dag.empty("create");
            dag.empty("delete").teardown(&create);
        },
    );
    only(Rule::Teardown, "teardown of nothing", "", |dag| {
        dag.empty("delete").teardown(())
    });
}

#[test]
fn schedules_that_cannot_work_are_refused() {
    only(Rule::Schedule, "outside 0-23", "cron next", |dag| {
        dag.schedule("0 25 * * *");
        dag.empty("a");
    });
    only(Rule::Schedule, "never fires", "", |dag| {
        dag.schedule("0 0 30 2 *");
        dag.empty("a");
    });
    only(Rule::Schedule, "did you mean `Europe/Berlin`?", "", |dag| {
        dag.schedule(Cron::daily().tz("Europe/Berln"));
        dag.empty("a");
    });
    only(Rule::Schedule, "no time of day", "", |dag| {
        dag.schedule(Cron::daily_at("25:00"));
        dag.empty("a");
    });
    only(Rule::Schedule, "before it starts", "swap", |dag| {
        dag.schedule(Cron::daily())
            .start("2025-02-01")
            .end("2025-01-01");
        dag.empty("a");
    });
    only(Rule::Schedule, "after its end", "later end", |dag| {
        dag.schedule(Cron::new("0 0 29 2 *"))
            .start("2025-01-01")
            .end("2026-01-01");
        dag.empty("a");
    });
    only(Rule::Schedule, "`soon` is no date", "", |dag| {
        dag.start("soon");
        dag.empty("a");
    });
    only(Rule::Schedule, "from when", ".start", |dag| {
        dag.schedule(Cron::daily()).catchup(true);
        dag.empty("a");
    });
    only(Rule::Schedule, "run for ever", "", |dag| {
        let orders = Asset::new("orders");
        dag.schedule(&orders);
        dag.empty("a").outlet(&orders);
    });
}

#[params]
struct Broken {
    #[param(default = 5_000, max = 1_000)]
    page_size: u64,
    #[param(default = "EU", pattern = "[a-z]+")]
    region: String,
    needed: String,
}

#[test]
fn params_keep_their_own_rules() {
    let found = problems(|dag| {
        dag.schedule(Cron::daily());
        dag.params::<Broken>();
        dag.empty("a");
    });
    let messages: Vec<&str> = found
        .iter()
        .map(|problem| problem.message.as_str())
        .collect();
    assert_eq!(
        messages,
        [
            "the default breaks its own rule: param `page_size` is 5000, the most is 1000",
            "the default breaks its own rule: param `region` is \"EU\", which does not match the pattern [a-z]+",
            "param `needed` has no default, and the schedule has nobody to ask",
        ]
    );
}

#[test]
fn settings_of_nothing_are_refused() {
    only(Rule::Setting, "no slot", "at least 1", |dag| {
        dag.empty("a").slots(0)
    });
    only(Rule::Setting, "no time at all", "", |dag| {
        dag.empty("a").timeout(seconds(0))
    });
    only(
        Rule::Setting,
        "one run at a time",
        "max_active_runs(1)",
        |dag| {
            dag.schedule("@continuous");
            dag.empty("a");
        },
    );
    only(Rule::Setting, "`maybe` is none of its answers", "", |dag| {
        dag.approval("ok", Approval::ask("Sure?").default_to("maybe"))
            .timeout(hours(1));
    });
    only(Rule::Empty, "no tasks", "dag.call", |_| ());
    only(Rule::Empty, "group `g` has no tasks", "", |dag| {
        dag.empty("a");
        dag.group("g", |_| ());
    });
    only(Rule::TooLarge, "10001 tasks", "mapped", |dag| {
        for n in 0..=10_000 {
            dag.empty(&format!("t{n}"));
        }
    });
}

#[derive(Debug, Serialize, Deserialize)]
struct First {
    to: Text,
}

impl Operator for First {
    const NAME: &'static str = "shop.copy";
    type Output = ();

    fn touches(&self) -> Touches {
        Touches::nothing().connection("warehouse")
    }

    async fn run(&self, _: &TaskContext) -> TaskResult<Outcome<()>> {
        Ok(Outcome::Done(()))
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Second;

impl Operator for Second {
    const NAME: &'static str = "shop.copy";
    type Output = ();

    async fn run(&self, _: &TaskContext) -> TaskResult<Outcome<()>> {
        Ok(Outcome::Done(()))
    }
}

#[test]
fn two_operators_of_one_name_are_found_within_and_between_dags() {
    only(
        Rule::OperatorName,
        "two operators are named `shop.copy`",
        "another name",
        |dag| {
            dag.add("first", First { to: "x".into() });
            dag.add("second", Second);
        },
    );
    let project = Dags::new()
        .connection("warehouse", "http")
        .dag(|| Dag::build("a", |dag| dag.add("first", First { to: "{ds}".into() })))
        .dag(|| Dag::build("b", |dag| dag.add("second", Second)))
        .validate();
    assert_eq!(
        project
            .problems
            .iter()
            .map(|problem| problem.rule)
            .collect::<Vec<_>>(),
        [Rule::OperatorName]
    );
}

#[test]
fn names_that_the_project_does_not_declare_are_found() {
    let dag = || {
        Dag::build("d", |dag| {
            dag.on_failure(Alert::to("oncal"));
            dag.add(
                "copy",
                First {
                    to: "{var.bucket}".into(),
                },
            )
            .pool("bigqery")
            .queue("gpu");
            dag.empty("wide").pool("bigquery").slots(9);
        })
    };
    let project = Dags::new()
        .pool("bigquery", 8)
        .alert_route("oncall")
        .dag(dag)
        .validate();
    let mut found: Vec<String> = project
        .problems
        .iter()
        .map(|problem| format!("{}: {} ({})", problem.rule, problem.message, problem.help))
        .collect();
    found.sort();
    assert_eq!(
        found,
        [
            "unknown_connection: there is no connection `warehouse` (declare it: `Dags::new().connection(\"warehouse\", \"KIND\")`)",
            "unknown_pool: it takes 9 slots of the pool `bigquery`, which has 8: it would never run (take fewer slots, or declare a larger pool)",
            "unknown_pool: there is no pool `bigqery` (did you mean `bigquery`?)",
            "unknown_queue: there is no queue `gpu` (declare it: `Dags::new().queue(\"gpu\")`)",
            "unknown_route: there is no alert route `oncal` (did you mean `oncall`?)",
            "unknown_variable: there is no variable `bucket` (declare it: `Dags::new().variable(\"bucket\")`)",
        ]
    );
}

#[test]
fn a_dag_that_builds_differently_twice_is_found() {
    static BUILDS: AtomicU32 = AtomicU32::new(0);
    let project = Dags::new()
        .dag(|| {
            let build = BUILDS.fetch_add(1, Ordering::Relaxed);
            Dag::build("unstable", |dag| {
                dag.empty("a").timeout(seconds(u64::from(build) + 1))
            })
        })
        .validate();
    let [problem] = project.problems.as_slice() else {
        panic!("{:#?}", project.problems)
    };
    assert_eq!(problem.rule, Rule::Unstable);
    assert!(
        problem.message.contains("task `a`, timeout: 1s → 2s"),
        "{problem}"
    );
}

#[test]
fn a_panic_is_its_own_dags_fault_and_the_others_are_still_checked() {
    let project = Dags::new()
        .dag(|| Dag::build("good", |dag| dag.empty("a")))
        .dag(|| Dag::build("inside", |_| panic!("no tables for {}", "orders")))
        .dag(|| panic!("outside"))
        .dag(|| Dag::build("bad", |dag| dag.empty("b").slots(0)))
        .validate();
    let found: Vec<(Option<&str>, Rule, &str)> = project
        .problems
        .iter()
        .map(|problem| {
            (
                problem.dag.as_deref(),
                problem.rule,
                problem.message.as_str(),
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            (Some("bad"), Rule::Setting, "it takes no slot of its pool"),
            (
                Some("inside"),
                Rule::Panicked,
                "its builder panicked: no tables for orders"
            ),
            (
                Some("unnamed-3"),
                Rule::Panicked,
                "its builder panicked: outside"
            ),
        ]
    );
    let panic = project.problems[1]
        .source
        .as_ref()
        .expect("a panic has a place");
    assert!(panic.file.ends_with("checks.rs") && panic.line > 1);
}

#[test]
fn two_dags_of_one_name_are_found() {
    let one = || Dag::build("same", |dag| dag.empty("a"));
    let project = Dags::new().dag(one).family(move || vec![one()]).validate();
    let [problem] = project.problems.as_slice() else {
        panic!("{:#?}", project.problems)
    };
    assert_eq!(problem.rule, Rule::DuplicateId);
}
