//! Numbers, times, params and schedules that cannot work.

use std::time::Duration;

use chrono::{DateTime, TimeDelta};

use crate::params::{ParamKind, ParamSpec, whole_match};
use crate::problem::{Problem, Rule};
use crate::span::days;
use crate::spec::{Asset, Dedup, Definition, Schedule, TaskKind, TaskSpec, WriteMode};

/// Longer than anything that is meant.
const SPAN_MAX: Duration = days(36_525);

pub(super) fn check(definition: &Definition, problems: &mut Vec<Problem>) {
    schedule(definition, problems);
    params(definition, problems);
    let mut wrong =
        |message: &str, help: &str| problems.push(Problem::new(Rule::Setting, message, help));
    if definition.active_runs_max == 0 {
        wrong(
            "no run may ever be active",
            "`max_active_runs` takes at least 1; to stop a DAG, pause it",
        );
    }
    if definition.schedule == Schedule::Continuous && definition.active_runs_max != 1 {
        wrong(
            "a continuous DAG has one run at a time",
            "say `.max_active_runs(1)`",
        );
    }
    if [
        definition.active_tasks_max,
        definition.active_tasks_per_run_max,
    ]
    .contains(&Some(0))
    {
        wrong(
            "no task may ever be active",
            "`max_active_tasks` takes at least 1",
        );
    }
    if [definition.run_timeout, definition.deadline].contains(&Some(Duration::ZERO)) {
        wrong(
            "a run has no time at all",
            "timeouts and deadlines must be longer than zero",
        );
    }
    for task in &definition.tasks {
        settings(task, problems);
    }
}

fn schedule(definition: &Definition, problems: &mut Vec<Problem>) {
    let mut wrong =
        |message: String, help: &str| problems.push(Problem::new(Rule::Schedule, message, help));
    if let (Some(start), Some(end)) = (definition.start, definition.end)
        && start > end
    {
        let message = format!(
            "it ends ({}) before it starts ({})",
            end.to_rfc3339(),
            start.to_rfc3339()
        );
        wrong(message, "swap `.start(…)` and `.end(…)`");
        return;
    }
    if definition.catchup && definition.schedule.timing().is_some() && definition.start.is_none() {
        wrong(
            "it catches up, but nothing says from when".to_owned(),
            "add `.start(\"2025-01-01\")`",
        );
    }
    if let Some(timing) = definition.schedule.timing() {
        let start = definition.start.unwrap_or(DateTime::UNIX_EPOCH);
        let first = timing.next_after(
            start,
            start
                .checked_sub_signed(TimeDelta::nanoseconds(1))
                .unwrap_or(start),
        );
        match (first, definition.end) {
            (None, _) => wrong(
                "its schedule never fires after its start".to_owned(),
                "choose an earlier start or other dates",
            ),
            (Some(first), Some(end)) if first > end => {
                let message = format!(
                    "its schedule first fires at {}, after its end",
                    first.to_rfc3339()
                );
                wrong(message, "choose a later end");
            }
            _ => {}
        }
    }
    if let Some(expr) = definition.schedule.assets() {
        let makes = |asset: &Asset| {
            definition
                .tasks
                .iter()
                .any(|task| task.touches.outlets.contains(asset))
        };
        if expr.holds(&makes) {
            let message =
                format!("it waits for {expr} and changes that itself: it would run for ever");
            wrong(message, "wait for what it reads, not for what it makes");
        }
    }
}

fn params(definition: &Definition, problems: &mut Vec<Problem>) {
    let mut wrong =
        |message: String, help: &str| problems.push(Problem::new(Rule::Params, message, help));
    let runs_alone = definition.schedule != Schedule::Manual;
    let mut seen: Vec<&str> = Vec::new();
    for spec in &definition.params {
        if seen.contains(&spec.name.as_str()) {
            wrong(
                format!("there are two params named `{}`", spec.name),
                "rename one of them",
            );
        }
        seen.push(&spec.name);
        match &spec.default {
            Some(default) => {
                for message in spec.check(default) {
                    wrong(
                        format!("the default breaks its own rule: {message}"),
                        "change the default or the rule",
                    );
                }
            }
            None if runs_alone => {
                let message = format!(
                    "param `{}` has no default, and the schedule has nobody to ask",
                    spec.name
                );
                wrong(message, "give it a default, or make it an `Option`");
            }
            None => {}
        }
        limits(spec, &mut wrong);
    }
}

/// Limits that no value can keep, in a param and in what it is made of.
fn limits(spec: &ParamSpec, wrong: &mut impl FnMut(String, &str)) {
    let (limits, name) = (&spec.limits, &spec.name);
    if limits
        .min
        .zip(limits.max)
        .is_some_and(|(min, max)| min > max)
        || limits
            .length_min
            .zip(limits.length_max)
            .is_some_and(|(min, max)| min > max)
    {
        wrong(
            format!("the least of param `{name}` is more than its most"),
            "swap them",
        );
    }
    if let Some(pattern) = &limits.pattern
        && let Err(why) = whole_match(pattern)
    {
        let message = format!("the pattern `{pattern}` of param `{name}` cannot be read: {why}");
        wrong(message, "use the syntax of the Rust crate `regex`");
    }
    match &spec.kind {
        ParamKind::List(item) => self::limits(item, wrong),
        ParamKind::Object(fields) => {
            for field in fields {
                for message in field
                    .default
                    .iter()
                    .flat_map(|default| field.check(default))
                {
                    wrong(
                        format!("the default breaks its own rule: {message}"),
                        "change the default or the rule",
                    );
                }
                self::limits(field, wrong);
            }
        }
        _ => {}
    }
}

fn settings(task: &TaskSpec, problems: &mut Vec<Problem>) {
    let mut wrong = |message: &str, help: &str| {
        problems.push(Problem::new(Rule::Setting, message, help).task(&task.id))
    };
    if task.placement.slots == 0 {
        wrong(
            "it takes no slot of its pool",
            "`.slots(n)` takes at least 1",
        );
    }
    let limits = &task.concurrency;
    let none = [limits.active_max, limits.active_per_run_max].contains(&Some(0));
    if none || (limits.key.is_some() && limits.key_active_max == 0) {
        wrong(
            "no instance of it may ever be active",
            "limits on active instances are at least 1",
        );
    }
    if [task.timeout, task.deadline].contains(&Some(Duration::ZERO)) {
        wrong(
            "it has no time at all",
            "timeouts and deadlines must be longer than zero",
        );
    }
    if task.retry.wait > task.retry.wait_max {
        wrong(
            "its first wait is longer than its longest",
            "write the shorter wait first: `minutes(1)..=minutes(30)`",
        );
    }
    waiting(task, &mut wrong);
    sizes(task, &mut wrong);
}

/// Lengths of time and lists of columns that nobody can mean.
fn sizes(task: &TaskSpec, wrong: &mut impl FnMut(&str, &str)) {
    for span in [task.timeout, task.deadline, Some(task.retry.wait_max)]
        .into_iter()
        .flatten()
    {
        if span > SPAN_MAX {
            wrong(
                "a length of time is over a hundred years",
                "leave it out if there is no bound",
            );
        } else if span.subsec_nanos() % 1_000_000 != 0 {
            wrong(
                "a length of time is no whole number of milliseconds",
                "round it",
            );
        }
    }
    for destination in &task.touches.writes {
        let keys = match &destination.mode {
            WriteMode::Append(Dedup::Key(columns)) | WriteMode::Merge(columns) => Some(columns),
            _ => None,
        };
        if keys.is_some_and(Vec::is_empty) {
            wrong(
                "a table is merged by no column at all",
                "name the columns that make a row unique",
            );
        }
    }
}

/// What waits for a system or a person.
fn waiting(task: &TaskSpec, wrong: &mut impl FnMut(&str, &str)) {
    match &task.kind {
        TaskKind::Sensor { every, .. } if *every < Duration::from_millis(100) => {
            wrong(
                "it looks more often than ten times a second",
                "`.every(seconds(30))` is plenty for most systems",
            );
        }
        TaskKind::Approval {
            choices,
            rejecting,
            default,
            ..
        } => {
            if default.is_some() && task.timeout.is_none() {
                wrong(
                    "it has a default answer, but nothing says when that is taken",
                    "add `.timeout(hours(4))`",
                );
            }
            if choices.is_empty() {
                wrong("there is no answer to choose", "give it `.choices([…])`");
            }
            if let Some(unknown) = rejecting
                .iter()
                .chain(default)
                .find(|answer| !choices.contains(answer))
            {
                let message = format!("`{unknown}` is none of its answers: {}", choices.join(", "));
                wrong(&message, "name one of the choices");
            }
        }
        _ => {}
    }
}
