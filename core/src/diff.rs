//! What changed between two sets of DAGs: what a pull request shows before it is merged.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;
use serde_json::Value;

use crate::graph::Graph;
use crate::id::{DagId, TaskId};
use crate::spec::{
    Concurrency, DagSpec, Definition, Destination, EdgeKind, Input, Past, Placement, Retry,
    TaskKind, TaskSpec,
};
use crate::version::Version;

/// One value that changed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FieldChange {
    /// Where: field names and list positions, joined by dots.
    pub field: String,
    /// The value before; null if there was none.
    pub before: Value,
    /// The value after; null if there is none.
    pub after: Value,
}

impl fmt::Display for FieldChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field = self.field.trim_end_matches(".$text");
        match (shown(&self.before), shown(&self.after)) {
            (None, Some(after)) => write!(f, "{field} set to {}", Short(&after, 0)),
            (Some(before), None) => write!(f, "{field} removed (was {})", Short(&before, 0)),
            (before, after) => {
                let (before, after) = (before.unwrap_or_default(), after.unwrap_or_default());
                let same = before
                    .chars()
                    .zip(after.chars())
                    .take_while(|(a, b)| a == b)
                    .count();
                write!(
                    f,
                    "{field}: {} → {}",
                    Short(&before, same),
                    Short(&after, same)
                )
            }
        }
    }
}

fn shown(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        // Limits are kept as fractions; people wrote whole numbers.
        Value::Number(number) => {
            let text = number.to_string();
            Some(text.strip_suffix(".0").unwrap_or(&text).to_owned())
        }
        other => Some(other.to_string()),
    }
}

/// A text on one line of readable length, cut around the place where it differs.
struct Short<'a>(&'a str, usize);

impl fmt::Display for Short<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const CHARS_MAX: usize = 80;
        const BEFORE: usize = 20;
        let Self(text, differs) = *self;
        let length = text.chars().count();
        let from = if length <= CHARS_MAX {
            0
        } else {
            differs.saturating_sub(BEFORE).min(length - CHARS_MAX)
        };
        let head = if from > 0 { "…" } else { "" };
        let tail = if length > from + CHARS_MAX { "…" } else { "" };
        let part: String = text.chars().skip(from).take(CHARS_MAX).collect();
        write!(f, "{head}{}{tail}", part.replace('\n', "⏎"))
    }
}

/// How a task changed.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskChange {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// These of its values changed.
    Changed(Vec<FieldChange>),
}

/// How a write to a table changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TableChange {
    /// The task that writes it.
    pub task: TaskId,
    /// The table.
    pub table: String,
    /// How it was written before, if it was.
    pub before: Option<String>,
    /// How it is written now, if it is.
    pub after: Option<String>,
}

/// How a DAG changed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DagDiff {
    /// The DAG.
    pub dag: DagId,
    /// Its version before; none if it is new.
    pub before: Option<Version>,
    /// Its version now; none if it is gone.
    pub after: Option<Version>,
    /// Its schedule before and after, for people, if that changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<(String, String)>,
    /// What changed about the DAG as a whole.
    pub settings: Vec<FieldChange>,
    /// What changed about its tasks.
    pub tasks: BTreeMap<TaskId, TaskChange>,
    /// What changed about the tables it writes.
    pub tables: Vec<TableChange>,
    /// The tasks whose results may differ from now on: those added or changed, and all that comes after one. They are
    /// what has to run again where history is to match; nothing runs by itself.
    pub reruns: Vec<TaskId>,
    /// The tables that such a rerun would write again.
    pub rewrites: Vec<TableChange>,
}

/// What changed between two sets of DAGs.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Plan {
    /// New DAGs.
    pub added: Vec<DagDiff>,
    /// DAGs that are gone.
    pub removed: Vec<DagDiff>,
    /// DAGs that changed.
    pub changed: Vec<DagDiff>,
    /// How many did not.
    pub unchanged: usize,
}

impl Plan {
    /// Whether nothing changed.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }
}

/// Compares two sets of DAGs.
#[must_use]
pub fn plan<'a>(
    before: impl IntoIterator<Item = &'a DagSpec>,
    after: impl IntoIterator<Item = &'a DagSpec>,
) -> Plan {
    let before: BTreeMap<&DagId, &DagSpec> =
        before.into_iter().map(|spec| (spec.id(), spec)).collect();
    let after: BTreeMap<&DagId, &DagSpec> =
        after.into_iter().map(|spec| (spec.id(), spec)).collect();
    let ids: BTreeSet<&DagId> = before.keys().chain(after.keys()).copied().collect();
    let mut plan = Plan::default();
    for id in ids {
        let (old, new) = (before.get(id), after.get(id));
        match (old, new) {
            (Some(old), Some(new)) if old.definition == new.definition => plan.unchanged += 1,
            (Some(_), Some(_)) => plan.changed.push(dag_diff(id, old.copied(), new.copied())),
            (None, _) => plan.added.push(dag_diff(id, None, new.copied())),
            (_, None) => plan.removed.push(dag_diff(id, old.copied(), None)),
        }
    }
    plan
}

/// The first thing in which two definitions differ, for people.
pub(crate) fn first_difference(a: &Definition, b: &Definition) -> String {
    if let Some(task) = a
        .tasks
        .iter()
        .find(|task| b.task(task.id.as_str()).is_none())
    {
        return format!("the task `{}` is missing", task.id);
    }
    if let Some(task) = b
        .tasks
        .iter()
        .find(|task| a.task(task.id.as_str()).is_none())
    {
        return format!("there is a new task `{}`", task.id);
    }
    let pairs = a.tasks.iter().zip(&b.tasks).find(|(a, b)| a != b);
    let (subject, changes) = match pairs {
        Some((a, b)) => (format!("task `{}`, ", a.id), task_fields(a, b)),
        None => (String::new(), changes_of(&settings(a), &settings(b))),
    };
    let change = changes.first().map(ToString::to_string).unwrap_or_default();
    format!("{subject}{change}")
}

fn dag_diff(id: &DagId, old: Option<&DagSpec>, new: Option<&DagSpec>) -> DagDiff {
    let (old_def, new_def) = (
        old.map(|spec| &spec.definition),
        new.map(|spec| &spec.definition),
    );
    let tasks = task_changes(old_def, new_def);
    let both = old_def.zip(new_def);
    let schedule = both.filter(|(a, b)| a.schedule != b.schedule);
    let reruns = new_def.map(|new| reruns(old_def, new)).unwrap_or_default();
    let rewrites = new_def
        .map(|new| rewrites(new, &reruns))
        .unwrap_or_default();
    DagDiff {
        dag: id.clone(),
        before: old.map(DagSpec::version),
        after: new.map(DagSpec::version),
        schedule: schedule.map(|(a, b)| (a.schedule.to_string(), b.schedule.to_string())),
        settings: both
            .map(|(a, b)| changes_of(&settings(a), &settings(b)))
            .unwrap_or_default(),
        tables: table_changes(old_def, new_def),
        tasks,
        reruns,
        rewrites,
    }
}

/// A definition without its tasks.
fn settings(definition: &Definition) -> Value {
    let mut value = serde_json::to_value(definition).unwrap_or_default();
    // Params are known by their names, not by their places.
    let params = definition.params.iter().map(|param| {
        (
            param.name.clone(),
            serde_json::to_value(param).unwrap_or_default(),
        )
    });
    value["params"] = Value::Object(params.collect());
    if let Some(map) = value.as_object_mut() {
        map.remove("tasks");
    }
    value
}

fn tasks(definition: Option<&Definition>) -> BTreeMap<&TaskId, &TaskSpec> {
    definition
        .into_iter()
        .flat_map(|definition| &definition.tasks)
        .map(|task| (&task.id, task))
        .collect()
}

fn task_changes(
    old: Option<&Definition>,
    new: Option<&Definition>,
) -> BTreeMap<TaskId, TaskChange> {
    let (old, new) = (tasks(old), tasks(new));
    let ids: BTreeSet<&TaskId> = old.keys().chain(new.keys()).copied().collect();
    let change = |id: &TaskId| match (old.get(id), new.get(id)) {
        (Some(a), Some(b)) if a == b => None,
        (Some(a), Some(b)) => Some(TaskChange::Changed(task_fields(a, b))),
        (None, _) => Some(TaskChange::Added),
        (_, None) => Some(TaskChange::Removed),
    };
    ids.into_iter()
        .filter_map(|id| Some((id.clone(), change(id)?)))
        .collect()
}

fn writes(definition: Option<&Definition>) -> BTreeMap<(&TaskId, &str), &Destination> {
    let tasks = definition
        .into_iter()
        .flat_map(|definition| &definition.tasks);
    tasks
        .flat_map(|task| {
            task.touches
                .writes
                .iter()
                .map(|to| ((&task.id, to.table.as_str()), to))
        })
        .collect()
}

fn table_changes(old: Option<&Definition>, new: Option<&Definition>) -> Vec<TableChange> {
    let (old, new) = (writes(old), writes(new));
    let keys: BTreeSet<_> = old.keys().chain(new.keys()).copied().collect();
    let change = |(task, table): (&TaskId, &str)| {
        let mode = |writes: &BTreeMap<(&TaskId, &str), &Destination>| {
            writes.get(&(task, table)).map(|to| to.mode.to_string())
        };
        let (before, after) = (mode(&old), mode(&new));
        (before != after).then(|| TableChange {
            task: task.clone(),
            table: table.to_owned(),
            before,
            after,
        })
    };
    keys.into_iter().filter_map(change).collect()
}

/// What about a task decides what it returns and writes; retries, pools and alerts do not.
fn results(task: &TaskSpec) -> TaskSpec {
    let mut task = task.clone();
    task.retry = Retry::default();
    (task.timeout, task.deadline) = (None, None);
    task.placement = Placement::default();
    task.concurrency = Concurrency::default();
    task.past = Past::default();
    task.alerts.clear();
    task.upstream.retain(|up| up.kind == EdgeKind::Data);
    task
}

/// The tasks whose results may differ from now on, and all that come after one.
fn reruns(old: Option<&Definition>, new: &Definition) -> Vec<TaskId> {
    let before = |id: &TaskId| old.and_then(|old| old.task(id.as_str()));
    let group_changed = |task: &TaskSpec| {
        new.groups_around(task.group.as_ref()).any(|group| {
            old.and_then(|old| old.group(group.id.as_str()))
                .is_some_and(|old| old.mapping != group.mapping)
        })
    };
    let params: Vec<&str> = new
        .params
        .iter()
        .filter(|param| !old.is_some_and(|old| old.params.contains(param)))
        .map(|param| param.name.as_str())
        .collect();
    let changed: Vec<usize> = (0..new.tasks.len())
        .filter(|at| {
            let task = &new.tasks[*at];
            let same = before(&task.id).is_some_and(|old| results(old) == results(task));
            task.kind != TaskKind::Empty
                && (!same || group_changed(task) || reads_param(task, &params))
        })
        .collect();
    let mut affected = Graph::of(new).after(&changed);
    for at in changed {
        affected[at] = true;
    }
    let affected = new
        .tasks
        .iter()
        .zip(affected)
        .filter(|(task, affected)| *affected && task.kind != TaskKind::Empty);
    affected.map(|(task, _)| task.id.clone()).collect()
}

fn reads_param(task: &TaskSpec, params: &[&str]) -> bool {
    let named = |path: &[String]| {
        path.first()
            .is_none_or(|first| params.contains(&first.as_str()))
    };
    let mut reads = !params.is_empty()
        && task
            .inputs
            .iter()
            .any(|input| matches!(input, Input::Params(path) if named(path)));
    crate::check::each_task_text(task, &mut |text| {
        reads |= params
            .iter()
            .any(|param| text.contains(&format!("{{params.{param}")));
    });
    reads
}

fn rewrites(new: &Definition, reruns: &[TaskId]) -> Vec<TableChange> {
    let again = writes(Some(new))
        .into_iter()
        .filter(|((task, _), _)| reruns.contains(task));
    let change = |((task, table), to): ((&TaskId, &str), &Destination)| {
        let mode = Some(to.mode.to_string());
        TableChange {
            task: task.clone(),
            table: table.to_owned(),
            before: mode.clone(),
            after: mode,
        }
    };
    again.map(change).collect()
}

/// What changed about a task. How it writes its tables is told apart, in words.
fn task_fields(before: &TaskSpec, after: &TaskSpec) -> Vec<FieldChange> {
    // What is at its default is left out of the JSON; here its parts are compared.
    let expanded = |task: &TaskSpec| {
        let mut value = serde_json::to_value(task).unwrap_or_default();
        value["retry"] = serde_json::to_value(task.retry).unwrap_or_default();
        value["placement"] = serde_json::to_value(&task.placement).unwrap_or_default();
        value["concurrency"] = serde_json::to_value(&task.concurrency).unwrap_or_default();
        value["past"] = serde_json::to_value(&task.past).unwrap_or_default();
        value["touches"] = serde_json::to_value(&task.touches).unwrap_or_default();
        value
    };
    let mut changes = changes_of(&expanded(before), &expanded(after));
    changes.retain(|change| !change.field.starts_with("touches.writes"));
    changes
}

fn changes_of(before: &impl Serialize, after: &impl Serialize) -> Vec<FieldChange> {
    let value = |it: Result<Value, _>| it.unwrap_or_default();
    let mut changes = Vec::new();
    compare(
        "",
        &value(serde_json::to_value(before)),
        &value(serde_json::to_value(after)),
        &mut changes,
    );
    changes
}

fn compare(path: &str, before: &Value, after: &Value, changes: &mut Vec<FieldChange>) {
    let inner = |key: &dyn fmt::Display| {
        if path.is_empty() {
            key.to_string()
        } else {
            format!("{path}.{key}")
        }
    };
    match (before, after) {
        _ if before == after => {}
        (Value::Object(a), Value::Object(b)) => {
            let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for key in keys {
                let (a, b) = (
                    a.get(key).unwrap_or(&Value::Null),
                    b.get(key).unwrap_or(&Value::Null),
                );
                compare(&inner(key), a, b, changes);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (nth, (a, b)) in a.iter().zip(b).enumerate() {
                compare(&inner(&nth), a, b, changes);
            }
        }
        _ => changes.push(FieldChange {
            field: path.to_owned(),
            before: before.clone(),
            after: after.clone(),
        }),
    }
}
