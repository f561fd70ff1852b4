//! Numbers, times, params and schedules that cannot work.

use std::time::Duration;

use chrono::{DateTime, TimeDelta};

use crate::params::ParamSpec;
use crate::problem::{Problem, Rule};
use crate::spec::{Asset, Definition, Schedule, TaskKind, TaskSpec};

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
        let first = timing.next_after(start, start - TimeDelta::nanoseconds(1));
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
        for asset in expr.assets().into_iter().filter(|asset| makes(asset)) {
            let message = format!(
                "it waits for the asset `{}` and changes it itself: it would run for ever",
                asset.uri()
            );
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
        if let Some(wrong_pattern) = bad_pattern(spec) {
            wrong(wrong_pattern, "use the syntax of the Rust crate `regex`");
        }
    }
}

fn bad_pattern(spec: &ParamSpec) -> Option<String> {
    let pattern = spec.limits.pattern.as_ref()?;
    let wrong = crate::params::whole_match(pattern).err()?;
    Some(format!(
        "the pattern `{pattern}` of param `{}` cannot be read: {wrong}",
        spec.name
    ))
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
