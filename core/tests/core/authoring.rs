//! What the authoring API makes of an author's code.

use serde_json::json;
use tidemill_core::prelude::*;
use tidemill_core::spec::{EdgeKind, Input, Over, Role, TaskKind, TaskSpec};
use tidemill_macros::{Choice, params, task};

#[task]
async fn pull(ctx: &TaskContext, day: NaiveDate) -> TaskResult<Vec<String>> {
    Ok(vec![format!("{}/{day}", ctx.facts().dag_id)])
}

#[task]
fn clean(page: String) -> TaskResult<u64> {
    Ok(page.len() as u64)
}

#[task]
fn total(all: Vec<u64>) -> TaskResult<u64> {
    Ok(all.iter().sum())
}

#[task]
fn pair(left: String, right: u64) -> TaskResult<String> {
    Ok(format!("{left}{right}"))
}

#[task]
fn is_large(total: u64) -> TaskResult<bool> {
    Ok(total > 10)
}

#[task]
fn look() -> TaskResult<Sense<Vec<String>>> {
    Ok(Sense::NotYet)
}

#[derive(Choice)]
enum Route {
    Full,
    OnlyDelta,
}

#[task]
fn choose(total: u64) -> TaskResult<Route> {
    Ok(if total > 10 {
        Route::Full
    } else {
        Route::OnlyDelta
    })
}

#[params]
struct LoadParams {
    /// How many rows a page has.
    #[param(default = 500, min = 1, max = 1_000)]
    page_size: u64,
    #[param(default = vec!["eu".to_owned()])]
    regions: Vec<String>,
}

fn valid(dag: &Dag) -> impl Fn(&str) -> TaskSpec {
    assert_eq!(dag.problems(), [], "the DAG has problems");
    let definition = dag.spec().definition.clone();
    move |id| {
        definition
            .task(id)
            .cloned()
            .unwrap_or_else(|| panic!("no task {id}"))
    }
}

fn upstream(task: &TaskSpec) -> Vec<&str> {
    task.upstream.iter().map(|up| up.task.as_str()).collect()
}

#[test]
fn passing_an_output_makes_a_data_edge() {
    let dag = Dag::build("d", |dag| {
        let pages = dag.call("pull", pull, interval::start_date());
        let sizes = dag.map("clean", clean, &pages);
        dag.call("total", total, &sizes).after("pull");
    });
    let task = valid(&dag);
    assert_eq!(task("pull").inputs, [Input::Text("{ds}".into())]);
    assert_eq!(task("clean").mapping.unwrap().over.len(), 1);
    assert_eq!(task("clean").inputs, [Input::Item(vec![])]);
    let total = task("total");
    assert_eq!(upstream(&total), ["clean", "pull"]);
    assert_eq!(total.upstream[0].kind, EdgeKind::Data);
    assert_eq!(total.upstream[1].kind, EdgeKind::Order);
}

#[test]
fn several_lists_cross_and_zip() {
    let dag = Dag::build("d", |dag| {
        let pages = dag.call("pull", pull, interval::start_date());
        dag.map("cross", pair, (each(&pages), each(vec![1_u64, 2])));
        dag.map("same", pair, (each(&pages), 7_u64));
        dag.map("zipped", pair, zip(&pages, vec![1_u64, 2]))
            .at_most(50)
            .label("{item.0}");
    });
    let task = valid(&dag);
    let cross = task("cross");
    assert_eq!(cross.inputs, [Input::Each(0), Input::Each(1)]);
    assert_eq!(
        cross.mapping.unwrap().over[1],
        Over::Values(vec![json!(1), json!(2)])
    );
    assert_eq!(
        task("same").inputs,
        [Input::Item(vec![]), Input::Value(json!(7))]
    );
    let zipped = task("zipped").mapping.unwrap();
    assert!(zipped.zip);
    assert_eq!(zipped.instances_max, 50);
}

#[test]
fn a_mapped_group_works_element_by_element_and_is_a_list_outside() {
    let dag = Dag::build("d", |dag| {
        let pages = dag.call("pull", pull, interval::start_date());
        let group = dag.map_group("page", &pages, |page, item: In<String>| {
            let size = page.call("clean", clean, &item);
            page.call("large", is_large, &size);
            size
        });
        dag.call("total", total, &group.out);
    });
    let task = valid(&dag);
    assert_eq!(task("page.clean").inputs, [Input::Item(vec![])]);
    // The first tasks of the group wait for the list, the others for theirs.
    assert_eq!(upstream(&task("page.clean")), ["pull"]);
    assert_eq!(task("page.clean").upstream[0].kind, EdgeKind::Order);
    assert_eq!(upstream(&task("page.large")), ["page.clean"]);
    assert_eq!(upstream(&task("total")), ["page.clean"]);
    let definition = &dag.spec().definition;
    assert!(definition.group("page").unwrap().mapping.is_some());
}

#[test]
fn an_instance_must_not_leak_out_of_its_mapped_group() {
    let dag = Dag::build("d", |dag| {
        let mut leaked = None;
        dag.map_group("g", ["a", "b"], |group, item: In<String>| {
            let size = group.call("clean", clean, &item);
            leaked = Some(size.clone());
            size
        });
        dag.call("large", is_large, leaked.expect("set by the closure"));
    });
    let [problem] = dag.problems() else {
        panic!("{:?}", dag.problems())
    };
    assert!(
        problem.message.contains("one instance of `g.clean`"),
        "{problem}"
    );
    assert!(problem.help.contains(".out"));
}

#[test]
fn groups_prefix_names_and_edges_go_to_their_ends() {
    let dag = Dag::build("d", |dag| {
        let first = dag.empty("first");
        let group = dag.group("staging", |group| {
            group.pool("small").retry(Retry::times(2));
            let a = group.empty("a");
            let b = group.empty("b").after(&a).retry(Retry::never());
            group.group("inner", |inner| inner.empty("c").after(&a));
            b
        });
        dag.edge(&first, &group);
        dag.empty("last").after(&group);
    });
    let task = valid(&dag);
    assert_eq!(upstream(&task("staging.a")), ["first"]);
    assert_eq!(upstream(&task("last")), ["staging.b", "staging.inner.c"]);
    assert_eq!(task("staging.inner.c").placement.pool, "small");
    assert_eq!(task("staging.inner.c").retry.times, 2);
    assert_eq!(task("staging.b").retry.times, 0);
    assert_eq!(task("first").placement.pool, "default");
}

#[test]
fn a_setup_and_its_teardown_enclose_the_work() {
    let dag = Dag::build("d", |dag| {
        let create = dag.empty("create").setup();
        let delete = dag.empty("delete").teardown(&create).fails_run();
        dag.between(&create, &delete, |dag| {
            let a = dag.empty("a");
            dag.empty("b").after(&a);
            dag.empty("c");
        });
    });
    let task = valid(&dag);
    assert_eq!(upstream(&task("a")), ["create"]);
    assert_eq!(upstream(&task("b")), ["a"]);
    assert_eq!(upstream(&task("delete")), ["b", "c", "create"]);
    let delete = task("delete");
    assert_eq!(delete.rule, TriggerRule::AllDoneSetupSuccess);
    let Role::Teardown { setups, fails_run } = delete.role else {
        panic!("no teardown")
    };
    assert!(fails_run && setups.len() == 1 && setups[0] == "create");
}

#[test]
fn what_follows_a_group_does_not_wait_for_its_teardown() {
    let dag = Dag::build("d", |dag| {
        let group = dag.group("g", |group| {
            let create = group.empty("create").setup();
            let work = group.empty("work").after(&create);
            group.empty("delete").teardown(&create).after(&work);
        });
        dag.empty("next").after(&group);
    });
    assert_eq!(upstream(&valid(&dag)("next")), ["g.work"]);
}

#[test]
fn branches_gates_sensors_and_approvals_say_what_they_are() {
    let dag = Dag::build("d", |dag| {
        let seen = dag
            .sensor("look", look, ())
            .every(seconds(30))
            .skip_on_timeout()
            .timeout(hours(6));
        let sizes = dag.map("clean", clean, &seen);
        let sum = dag.call("total", total, &sizes);
        dag.short_circuit("large", is_large, &sum).only_direct();
        let (full, delta) = (dag.empty("full"), dag.empty("delta"));
        dag.branch("choose", choose, &sum)
            .when(Route::Full, &full)
            .when(Route::OnlyDelta, (&delta, "approve"));
        dag.approval(
            "approve",
            Approval::ask("Load {ds}?")
                .assigned_to(["ops"])
                .default_to("reject"),
        )
        .timeout(hours(4));
    });
    let task = valid(&dag);
    let TaskKind::Sensor {
        every,
        skip_on_timeout: true,
    } = task("look").kind
    else {
        panic!("no sensor")
    };
    assert_eq!(every, seconds(30));
    assert_eq!(
        task("large").kind,
        TaskKind::ShortCircuit { everything: false }
    );
    let TaskKind::Branch {
        arms,
        exclusive: true,
    } = task("choose").kind
    else {
        panic!("no branch")
    };
    assert_eq!(arms[1].label, "only_delta");
    assert_eq!(
        arms[1]
            .tasks
            .iter()
            .map(|task| task.as_str())
            .collect::<Vec<_>>(),
        ["approve", "delta"]
    );
    assert_eq!(upstream(&task("approve")), ["choose"]);
    assert!(
        matches!(task("approve").kind, TaskKind::Approval { default: Some(choice), .. } if choice == "reject")
    );
}

#[test]
fn params_reach_texts_arguments_and_lists() {
    let dag = Dag::build("d", |dag| {
        let params = dag.params::<LoadParams>();
        dag.map("clean", clean, params.pick::<Vec<String>>("regions"));
        dag.call(
            "pair",
            pair,
            (
                "{params.page_size} of {ds}",
                params.pick::<u64>("page_size"),
            ),
        );
    });
    let task = valid(&dag);
    assert_eq!(
        task("clean").mapping.unwrap().over,
        [Over::Params(vec!["regions".to_owned()])]
    );
    assert_eq!(
        task("pair").inputs[1],
        Input::Params(vec!["page_size".to_owned()])
    );
    assert_eq!(
        dag.spec().definition.params[0].description,
        "How many rows a page has."
    );
}

#[test]
fn a_placeholder_of_an_output_is_an_edge() {
    let dag = Dag::build("d", |dag| {
        dag.call("clean", clean, "{out.total}");
        dag.call("total", total, value(vec![1_u64]));
    });
    let task = valid(&dag)("clean");
    assert_eq!(upstream(&task), ["total"]);
    assert_eq!(task.upstream[0].kind, EdgeKind::Data);
}

#[test]
fn every_setting_reaches_the_data() {
    let orders = Asset::new("bigquery://shop/orders");
    let dag = Dag::build("d", |dag| {
        dag.schedule(AssetExpr::all([&orders]).or(Cron::hourly().ticks()))
            .max_active_runs(1)
            .max_active_tasks(8)
            .overlap(Overlap::Skip)
            .run_timeout(hours(2))
            .deadline(hours(3))
            .owner("data")
            .tag("shop")
            .on_late(
                Alert::to("oncall")
                    .severity(Severity::Warning)
                    .note("see the runbook"),
            );
        dag.empty("t")
            .pool("bigquery")
            .slots(2)
            .priority(9)
            .weight(Weight::Absolute)
            .queue("gpu")
            .isolated()
            .timeout(minutes(5))
            .max_active(3)
            .concurrency_key("customer {run_id}", 1)
            .wait_for_downstream()
            .outlet(&Asset::new("gs://clean"))
            .inlet(&orders)
            .writes(
                Table::named("shop.orders")
                    .append(Dedup::partition("{interval_start_utc:%Y%m%d%H}")),
            )
            .connection("google")
            .doc("# Loads")
            .on_failure(Alert::to("oncall"));
    });
    let task = valid(&dag)("t");
    assert_eq!((task.placement.slots, task.placement.priority), (2, 9));
    assert!(task.past.depends_on_past && task.past.wait_for_downstream);
    assert_eq!(
        task.touches.writes[0].mode.to_string(),
        "append, replacing partition {interval_start_utc:%Y%m%d%H}"
    );
    assert_eq!(task.concurrency.key_active_max, 1);
    assert_eq!(dag.spec().notes.task("t").unwrap().doc, "# Loads");
    assert_eq!(
        dag.spec().definition.schedule.to_string(),
        "every hour, UTC, at each tick, and when all of (bigquery://shop/orders) changed"
    );
    let json = serde_json::to_value(dag.spec()).unwrap();
    assert_eq!(
        serde_json::from_value::<tidemill_core::spec::DagSpec>(json).unwrap(),
        *dag.spec()
    );
}

#[test]
fn a_group_ends_where_all_its_edges_say_it_does() {
    let dag = Dag::build("d", |dag| {
        let group = dag.group("g", |group| {
            group.empty("a");
            group.call("total", total, value(vec![1_u64]));
            group.call("shown", clean, "{out.g.total}").after("g.a");
        });
        dag.empty("next").after(&group);
        dag.branch("choose", choose, 1_u64)
            .when(Route::Full, &group)
            .when(Route::OnlyDelta, ());
    });
    let task = valid(&dag);
    assert_eq!(upstream(&task("next")), ["g.shown"]);
    let TaskKind::Branch { arms, .. } = task("choose").kind else {
        panic!("no branch")
    };
    let full: Vec<&str> = arms[0].tasks.iter().map(|task| task.as_str()).collect();
    assert_eq!(full, ["g.a", "g.total"]);
}

#[test]
fn the_outer_teardown_waits_for_the_inner_one() {
    let dag = Dag::build("d", |dag| {
        let outer = dag.empty("outer").setup();
        let gone = dag.empty("outer_gone").teardown(&outer);
        dag.between(&outer, &gone, |dag| {
            let inner = dag.empty("inner").setup();
            dag.empty("inner_gone").teardown(&inner);
        });
    });
    assert_eq!(
        upstream(&valid(&dag)("outer_gone")),
        ["inner_gone", "outer"]
    );
}

#[test]
fn an_output_that_need_not_be_there_is_an_option() {
    let dag = Dag::build("d", |dag| {
        let sum = dag.call("total", total, value(vec![1_u64]));
        dag.call("maybe", maybe, &sum).rule(TriggerRule::AllDone);
    });
    let task = valid(&dag)("maybe");
    assert!(matches!(
        &task.inputs[0],
        Input::Output { optional: true, .. }
    ));
}

#[task]
fn maybe(total: Option<u64>) -> TaskResult<u64> {
    Ok(total.unwrap_or_default())
}

#[test]
fn dates_are_of_the_dags_zone_whichever_was_said_first() {
    let start = |dag: Dag| dag.spec().definition.start;
    let first = Dag::build("d", |dag| {
        dag.start("2025-01-01")
            .schedule(Cron::daily().tz("Europe/Berlin"));
        dag.empty("a");
    });
    let last = Dag::build("d", |dag| {
        dag.start("2025-01-01").zone("Europe/Berlin");
        dag.empty("a");
    });
    assert_eq!(start(first), "2024-12-31T23:00:00Z".parse().ok());
    assert_eq!(start(last), "2024-12-31T23:00:00Z".parse().ok());
}

#[test]
fn what_waits_does_not_inherit_the_time_of_work() {
    let dag = Dag::build("d", |dag| {
        dag.timeout(minutes(30));
        dag.sensor("look", look, ());
        dag.approval("ask", Approval::ask("Sure?"));
        dag.empty("work");
    });
    let task = valid(&dag);
    let times = ["look", "ask", "work"].map(|id| task(id).timeout);
    assert_eq!(times, [Some(days(7)), None, Some(minutes(30))]);
}
