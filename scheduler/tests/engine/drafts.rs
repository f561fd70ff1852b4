//! DAGs for tests, written as data: what is not said is as an author would leave it.

use std::time::Duration;

use serde_json::{Value, json};
use tidemill_core::id::{DagId, GroupId, TaskId};
use tidemill_core::span::{days, seconds};
use tidemill_core::spec::{
    Alert, AlertRule, Asset, BranchArm, Concurrency, Cron, Definition, EdgeKind, GroupSpec,
    IntoSchedule, Mapping, Moment, Over, Overlap, Past, Placement, Retry, Role, Schedule, TaskKind,
    TaskSpec, Touches, Upstream,
};
use tidemill_core::state::TriggerRule;

/// A task that works and comes after nothing.
pub(crate) fn task(id: &str) -> TaskSpec {
    TaskSpec {
        id: task_id(id),
        operator: "function".to_owned(),
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

pub(crate) fn task_id(id: &str) -> TaskId {
    TaskId::parse(id).expect("tests name their tasks well")
}

pub(crate) fn dag_id(id: &str) -> DagId {
    DagId::parse(id).expect("tests name their DAGs well")
}

/// A task that no worker runs.
pub(crate) fn empty(id: &str) -> TaskSpec {
    task(id).kind(TaskKind::Empty)
}

/// A branch: each label with the tasks that it leads to.
pub(crate) fn branch(id: &str, arms: &[(&str, &[&str])]) -> TaskSpec {
    let arms = arms.iter().map(|(label, tasks)| BranchArm {
        label: (*label).to_owned(),
        tasks: tasks.iter().map(|name| task_id(name)).collect(),
    });
    task(id).kind(TaskKind::Branch {
        arms: arms.collect(),
        exclusive: false,
    })
}

pub(crate) fn short_circuit(id: &str, everything: bool) -> TaskSpec {
    task(id).kind(TaskKind::ShortCircuit { everything })
}

pub(crate) fn sensor(id: &str, skip_on_timeout: bool) -> TaskSpec {
    task(id).kind(TaskKind::Sensor {
        every: seconds(60),
        skip_on_timeout,
    })
}

/// An approval: yes, no (which rejects) and later.
pub(crate) fn approval(id: &str, default: Option<&str>) -> TaskSpec {
    task(id).kind(TaskKind::Approval {
        question: "go on?".into(),
        choices: ["yes", "no", "later"].map(str::to_owned).to_vec(),
        rejecting: vec!["no".to_owned()],
        assignees: Vec::new(),
        default: default.map(str::to_owned),
    })
}

pub(crate) fn setup(id: &str) -> TaskSpec {
    task(id).with(|spec| spec.role = Role::Setup)
}

/// A teardown of these setups; it comes after them at the least.
pub(crate) fn teardown(id: &str, setups: &[&str]) -> TaskSpec {
    task(id)
        .with(|spec| {
            spec.role = Role::Teardown {
                setups: setups.iter().map(|name| task_id(name)).collect(),
                fails_run: false,
            };
        })
        .rule(TriggerRule::AllDoneSetupSuccess)
        .after(setups)
}

/// What a list is made of that a task returned.
pub(crate) fn output_of(id: &str) -> Over {
    Over::Output {
        task: task_id(id),
        path: Vec::new(),
    }
}

pub(crate) fn mapping(over: &[Over]) -> Mapping {
    Mapping {
        over: over.to_vec(),
        zip: false,
        instances_max: 1_024,
        label: None,
    }
}

pub(crate) fn numbers(count: i32) -> Over {
    Over::Values((0..count).map(|nth| json!(nth)).collect())
}

pub(crate) trait TaskDraft: Sized {
    fn with(self, change: impl FnOnce(&mut TaskSpec)) -> Self;

    fn after(self, names: &[&str]) -> Self {
        self.with(|spec| {
            let more = names.iter().map(|name| Upstream {
                task: task_id(name),
                kind: EdgeKind::Order,
            });
            spec.upstream.extend(more);
            spec.upstream.sort();
            spec.upstream.dedup();
        })
    }

    fn rule(self, rule: TriggerRule) -> Self {
        self.with(|spec| spec.rule = rule)
    }

    fn kind(self, kind: TaskKind) -> Self {
        self.with(|spec| spec.kind = kind)
    }

    fn retries(self, times: u32, wait: Duration) -> Self {
        self.with(|spec| spec.retry = Retry::times(times).every(wait))
    }

    fn timeout(self, limit: Duration) -> Self {
        self.with(|spec| spec.timeout = Some(limit))
    }

    fn deadline(self, limit: Duration) -> Self {
        self.with(|spec| spec.deadline = Some(limit))
    }

    fn pool(self, name: &str, slots: u32) -> Self {
        self.with(|spec| {
            spec.placement.pool = name.to_owned();
            spec.placement.slots = slots;
        })
    }

    fn queue(self, name: &str) -> Self {
        self.with(|spec| spec.placement.queue = name.to_owned())
    }

    /// Its own number alone decides.
    fn priority(self, priority: i32) -> Self {
        self.with(|spec| {
            spec.placement.priority = priority;
            spec.placement.weight = tidemill_core::spec::Weight::Absolute;
        })
    }

    fn mapped(self, over: &[Over]) -> Self {
        self.with(|spec| spec.mapping = Some(mapping(over)))
    }

    fn in_group(self, group: &str) -> Self {
        self.with(|spec| spec.group = Some(group_id(group)))
    }

    fn outlet(self, asset: &str) -> Self {
        self.with(|spec| spec.touches.outlets.push(Asset::new(asset)))
    }

    fn depends_on_past(self) -> Self {
        self.with(|spec| spec.past.depends_on_past = true)
    }

    fn alerts(self, on: &[Moment]) -> Self {
        self.with(|spec| spec.alerts.extend(on.iter().map(|on| alert(*on, "people"))))
    }
}

impl TaskDraft for TaskSpec {
    fn with(mut self, change: impl FnOnce(&mut TaskSpec)) -> Self {
        change(&mut self);
        self
    }
}

fn group_id(id: &str) -> GroupId {
    GroupId::parse(id).expect("tests name their groups well")
}

pub(crate) fn alert(on: Moment, route: &str) -> AlertRule {
    AlertRule {
        on,
        alert: Alert::to(route),
    }
}

/// A DAG that runs only when somebody asks.
pub(crate) fn dag(id: &str, tasks: impl IntoIterator<Item = TaskSpec>) -> Definition {
    let mut tasks: Vec<TaskSpec> = tasks.into_iter().collect();
    tasks.sort_by(|a, b| a.id.cmp(&b.id));
    Definition {
        id: dag_id(id),
        schedule: Schedule::Manual,
        zone: None,
        start: None,
        end: None,
        catchup: false,
        params: Vec::new(),
        active_runs_max: 16,
        active_tasks_max: None,
        active_tasks_per_run_max: None,
        overlap: Overlap::default(),
        fail_fast: false,
        pause_after_failures: None,
        run_timeout: None,
        deadline: None,
        alerts: Vec::new(),
        groups: Vec::new(),
        tasks,
    }
}

pub(crate) trait DagDraft: Sized {
    fn with(self, change: impl FnOnce(&mut Definition)) -> Self;

    /// By this timetable, from this date on, missed dates made up for.
    fn every(self, timetable: impl IntoSchedule, start: &str) -> Self {
        let schedule = timetable
            .into_schedule()
            .expect("tests write timetables well");
        let start = super::kit::at(start).date();
        self.with(|dag| {
            dag.schedule = schedule;
            dag.start = Some(start);
            dag.catchup = true;
        })
    }

    fn daily(self, start: &str) -> Self {
        self.every(Cron::daily(), start)
    }

    fn when(self, schedule: impl IntoSchedule) -> Self {
        let schedule = schedule
            .into_schedule()
            .expect("tests write schedules well");
        self.with(|dag| dag.schedule = schedule)
    }

    fn active_runs(self, most: u32) -> Self {
        self.with(|dag| dag.active_runs_max = most)
    }

    fn group(self, id: &str, parent: Option<&str>, mapping: Option<Mapping>) -> Self {
        self.with(|dag| {
            dag.groups.push(GroupSpec {
                id: group_id(id),
                parent: parent.map(group_id),
                mapping,
            });
            dag.groups.sort_by(|a, b| a.id.cmp(&b.id));
        })
    }

    fn told(self, on: &[Moment]) -> Self {
        self.with(|dag| dag.alerts.extend(on.iter().map(|on| alert(*on, "oncall"))))
    }
}

impl DagDraft for Definition {
    fn with(mut self, change: impl FnOnce(&mut Definition)) -> Self {
        change(&mut self);
        self
    }
}

/// Three tries more, the waits doubling from half a minute.
pub(crate) fn doubling() -> Retry {
    Retry::times(3).exponential(seconds(30)..=days(1))
}
