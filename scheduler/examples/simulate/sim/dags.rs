//! DAGs made by chance: every kind of task, rule, limit and timetable is among them.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tidemill_core::id::{DagId, GroupId, TaskId};
use tidemill_core::params::{Limits, ParamKind, ParamSpec};
use tidemill_core::spec::{
    Alert, AlertRule, Asset, AssetExpr, BranchArm, Concurrency, DagNotes, DagSpec, Definition,
    EdgeKind, GroupSpec, Kind, Mapping, Moment, Over, Overlap, Past, Placement, Retry, Role,
    Schedule, TaskKind, TaskSpec, Timing, Touches, Upstream,
};
use tidemill_core::state::TriggerRule;
use tidemill_core::time::Timestamp;

use super::dice::Dice;

/// Where work of a task is done: in the worker, by a service that the worker waits for, or by one that it only watches.
pub(crate) const OPERATORS: [&str; 3] = ["local", "remote", "watched"];

/// What the pool is called that has few slots.
pub(crate) const POOL: &str = "small";

/// Assets that DAGs wait for and change.
pub(crate) const ASSETS: [&str; 2] = ["table", "file"];

/// How long after the start timetables end.
pub(crate) const TIMETABLES_END: Duration = Duration::from_secs(50 * 60);

fn id(text: &str) -> TaskId {
    TaskId::parse(text).expect("names of simulated tasks are fine")
}

pub(crate) fn dag_id(text: &str) -> DagId {
    DagId::parse(text).expect("names of simulated DAGs are fine")
}

fn task(name: &str, operator: &str) -> TaskSpec {
    TaskSpec {
        id: id(name),
        operator: operator.to_owned(),
        config: Value::Null,
        inputs: Vec::new(),
        upstream: Vec::new(),
        rule: TriggerRule::AllSuccess,
        kind: TaskKind::Work,
        role: Role::Work,
        group: None,
        mapping: None,
        retry: Retry::never(),
        timeout: None,
        deadline: None,
        placement: Placement::default(),
        concurrency: Concurrency::default(),
        past: Past::default(),
        touches: Touches::default(),
        alerts: Vec::new(),
    }
}

fn after(task: &mut TaskSpec, name: &str) {
    let upstream = Upstream {
        task: id(name),
        kind: EdgeKind::Order,
    };
    if !task.upstream.contains(&upstream) {
        task.upstream.push(upstream);
        task.upstream.sort();
    }
}

fn mapping(over: Over) -> Mapping {
    Mapping {
        over: vec![over],
        zip: false,
        instances_max: 64,
        label: None,
    }
}

/// A DAG of this name; the same name gives another version each time.
pub(crate) fn random(dice: &mut Dice, name: &str, start: Timestamp) -> Arc<DagSpec> {
    let mut tasks = plain(dice);
    let mut groups = Vec::new();
    if dice.percent(55) {
        many(dice, &mut tasks, &mut groups);
    }
    if dice.percent(35) {
        scoped(dice, &mut tasks, &groups);
    }
    if dice.percent(35) {
        steered(dice, &mut tasks);
    }
    for task in &mut tasks {
        if task.kind == TaskKind::Work {
            settings(dice, task);
        }
    }
    tasks.sort_by(|a, b| a.id.cmp(&b.id));
    groups.sort_by(|a: &GroupSpec, b: &GroupSpec| a.id.cmp(&b.id));
    let on = |on| AlertRule {
        on,
        alert: Alert::to("oncall"),
    };
    let looks_back = tasks.iter().any(|task| task.past.depends_on_past);
    let mut definition = Definition {
        id: dag_id(name),
        schedule: Schedule::Manual,
        zone: None,
        start: Some(start.date()),
        end: Some(start.after(TIMETABLES_END).date()),
        catchup: dice.percent(60),
        params: vec![ParamSpec {
            name: "shop".to_owned(),
            description: String::new(),
            kind: ParamKind::Text,
            optional: false,
            default: Some(json!("a")),
            limits: Limits::default(),
        }],
        active_runs_max: u32::try_from(dice.between(1, 3)).unwrap_or(1),
        active_tasks_max: some(dice, 20, 1, 4),
        active_tasks_per_run_max: some(dice, 20, 1, 3),
        overlap: Overlap::Queue,
        fail_fast: dice.percent(10),
        pause_after_failures: some(dice, 10, 2, 4),
        run_timeout: dice.percent(12).then(|| dice.secs(120, 900)),
        deadline: dice.percent(25).then(|| dice.secs(60, 600)),
        alerts: vec![on(Moment::Failure), on(Moment::Deadline)],
        groups,
        tasks,
    };
    scheduled(dice, &mut definition, looks_back);
    Arc::new(DagSpec {
        definition,
        notes: DagNotes::default(),
    })
}

fn some(dice: &mut Dice, percent: u64, least: u64, most: u64) -> Option<u32> {
    dice.percent(percent)
        .then(|| u32::try_from(dice.between(least, most)).unwrap_or(1))
}

fn scheduled(dice: &mut Dice, definition: &mut Definition, looks_back: bool) {
    let period = dice.secs(240, 900);
    let kind = if dice.percent(70) {
        Kind::Interval
    } else {
        Kind::Tick
    };
    let timing = Timing::Every { period, kind };
    let [table, file] = ASSETS.map(Asset::new);
    let expr = if dice.percent(50) {
        AssetExpr::any([&table, &file])
    } else {
        AssetExpr::all([&table, &file])
    };
    definition.schedule = match dice.below(20) {
        _ if looks_back => Schedule::Timed(timing),
        0..=8 => Schedule::Timed(timing),
        9 => Schedule::Once,
        10 | 11 => Schedule::Continuous,
        12..=14 => Schedule::Assets(expr),
        15 => Schedule::AssetsOrTimed(expr, timing),
        _ => Schedule::Manual,
    };
    if definition.schedule.assets().is_some() {
        // One that changes what it waits for would never end.
        for task in &mut definition.tasks {
            task.touches.outlets.clear();
        }
    }
    if definition.schedule == Schedule::Continuous {
        definition.active_runs_max = 1;
    }
    definition.overlap = match dice.below(10) {
        0 | 1 => Overlap::Skip,
        2 if !looks_back => Overlap::CancelOld,
        _ => Overlap::Queue,
    };
}

/// Tasks that come after each other, each with a rule.
fn plain(dice: &mut Dice) -> Vec<TaskSpec> {
    let count = dice.between(2, 7);
    let mut tasks: Vec<TaskSpec> = Vec::new();
    for nth in 0..count {
        let operator = *dice.pick(&OPERATORS).unwrap_or(&"local");
        let mut new = task(&format!("t{nth}"), operator);
        for other in &tasks {
            if dice.percent(35) {
                after(&mut new, other.id.as_str());
            }
        }
        if dice.percent(30) {
            new.rule = *dice.pick(TriggerRule::ALL).unwrap_or(&new.rule);
        }
        new.kind = match dice.below(24) {
            0 => TaskKind::Empty,
            1 => approval(dice),
            2 | 3 => TaskKind::Sensor {
                every: Duration::from_secs(20),
                skip_on_timeout: dice.percent(50),
            },
            _ => TaskKind::Work,
        };
        match &new.kind {
            TaskKind::Sensor { .. } => {
                new.operator = "local".to_owned();
                new.timeout = Some(dice.secs(40, 300));
            }
            TaskKind::Approval { .. } => new.timeout = Some(dice.secs(200, 900)),
            _ => {}
        }
        if dice.percent(12) {
            new.past.depends_on_past = true;
            new.past.wait_for_downstream = dice.percent(40);
            new.past.wait_before_skipping = dice.percent(40);
        }
        tasks.push(new);
    }
    // Only some DAGs look back: in those that do, runs wait for people.
    if dice.percent(75) {
        for task in &mut tasks {
            task.past = Past::default();
        }
    }
    tasks
}

fn approval(dice: &mut Dice) -> TaskKind {
    TaskKind::Approval {
        question: "go on?".into(),
        choices: ["yes", "no"].map(str::to_owned).to_vec(),
        rejecting: vec!["no".to_owned()],
        assignees: Vec::new(),
        default: dice.percent(50).then(|| "yes".to_owned()),
    }
}

/// A list, and what is mapped over it.
fn many(dice: &mut Dice, tasks: &mut Vec<TaskSpec>, groups: &mut Vec<GroupSpec>) {
    let first = tasks[0].id.to_string();
    let mut list = task("list", "list");
    if dice.percent(50) {
        after(&mut list, &first);
    }
    let over = || Over::Output {
        task: id("list"),
        path: Vec::new(),
    };
    let operator = *dice.pick(&OPERATORS).unwrap_or(&"local");
    let mut each = task("each", operator);
    after(&mut each, "list");
    each.mapping = Some(if dice.percent(20) {
        mapping(Over::Values(vec![json!(1), json!(2)]))
    } else {
        mapping(over())
    });
    let mut total = task("total", "local");
    after(&mut total, "each");
    total.rule = *dice.pick(TriggerRule::ALL).unwrap_or(&total.rule);
    if dice.percent(60) {
        let group = GroupId::parse("g").expect("a fine name");
        groups.push(GroupSpec {
            id: group.clone(),
            parent: None,
            mapping: Some(mapping(over())),
        });
        let operator = *dice.pick(&OPERATORS).unwrap_or(&"local");
        let mut first = task("g.a", operator);
        after(&mut first, "list");
        let mut second = task("g.b", "local");
        after(&mut second, "g.a");
        if dice.percent(50) {
            second.rule = TriggerRule::AllDone;
        }
        first.group = Some(group.clone());
        second.group = Some(group);
        after(&mut total, "g.b");
        tasks.extend([first, second]);
    }
    tasks.extend([list, each, total]);
}

/// A setup, work inside it and a teardown; at times inside the mapped group.
fn scoped(dice: &mut Dice, tasks: &mut Vec<TaskSpec>, groups: &[GroupSpec]) {
    let first = tasks[0].id.to_string();
    let grouped = groups.first().filter(|_| dice.percent(40));
    let prefix = if grouped.is_some() { "g." } else { "" };
    let name = |name: &str| format!("{prefix}{name}");
    let mut make = task(&name("make"), "local");
    make.role = Role::Setup;
    let operator = *dice.pick(&OPERATORS).unwrap_or(&"local");
    let mut work = task(&name("work"), operator);
    after(&mut work, &name("make"));
    let mut more = task(&name("more"), "local");
    after(&mut more, &name("work"));
    let mut remove = task(&name("remove"), "local");
    remove.role = Role::Teardown {
        setups: vec![id(&name("make"))],
        fails_run: dice.percent(30),
    };
    remove.rule = TriggerRule::AllDoneSetupSuccess;
    after(&mut remove, &name("make"));
    after(&mut remove, &name("more"));
    if grouped.is_some() {
        after(&mut make, "list");
    } else if dice.percent(60) {
        after(&mut make, &first);
    }
    for mut new in [make, work, more, remove] {
        new.group = grouped.map(|group| group.id.clone());
        tasks.push(new);
    }
}

/// A branch or a short circuit before tasks that are there.
fn steered(dice: &mut Dice, tasks: &mut Vec<TaskSpec>) {
    let mut left = task("left", "local");
    let mut right = task("right", "local");
    let mut steer = task("steer", "local");
    let mut join = task("join", "local");
    after(&mut left, "steer");
    after(&mut right, "steer");
    after(&mut join, "left");
    after(&mut join, "right");
    join.rule = TriggerRule::NoneFailedMinOneSuccess;
    steer.kind = if dice.percent(60) {
        let arm = |name: &str| BranchArm {
            label: name.to_owned(),
            tasks: vec![id(name)],
        };
        TaskKind::Branch {
            arms: vec![arm("left"), arm("right")],
            exclusive: false,
        }
    } else {
        TaskKind::ShortCircuit {
            everything: dice.percent(50),
        }
    };
    let first = tasks[0].id.to_string();
    if dice.percent(60) {
        after(&mut steer, &first);
    }
    tasks.extend([left, right, steer, join]);
}

fn settings(dice: &mut Dice, task: &mut TaskSpec) {
    if dice.percent(60) {
        let times = u32::try_from(dice.between(1, 3)).unwrap_or(1);
        task.retry = Retry::times(times).every(dice.secs(3, 40));
    }
    if dice.percent(25) {
        task.timeout = Some(dice.secs(20, 200));
    }
    if dice.percent(15) {
        task.deadline = Some(dice.secs(30, 400));
    }
    if dice.percent(40) {
        task.placement.pool = POOL.to_owned();
        task.placement.slots = u32::try_from(dice.between(1, 2)).unwrap_or(1);
    }
    if dice.percent(15) {
        task.placement.queue = "other".to_owned();
    }
    task.placement.priority = i32::try_from(dice.between(1, 5)).unwrap_or(1);
    task.concurrency.active_max = some(dice, 12, 1, 2);
    task.concurrency.active_per_run_max = some(dice, 12, 1, 2);
    if dice.percent(20) {
        task.concurrency.key = Some("shop {params.shop}".into());
        task.concurrency.key_active_max = 1;
    }
    if dice.percent(15) {
        task.touches.outlets = vec![Asset::new(*dice.pick(&ASSETS).unwrap_or(&"table"))];
    }
}
