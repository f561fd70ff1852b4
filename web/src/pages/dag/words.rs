//! What a DAG and its tasks are set to, in words. What is at its default is left out.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tidemill_core::span;
use tidemill_core::spec::{
    AlertRule, Backoff, Definition, Isolation, Overlap, Placement, Retry, Role, Schedule, TaskKind,
    TaskSpec, Timing, Weight,
};
use tidemill_core::state::TriggerRule;

/// How many names stand in a line before the rest is counted.
const NAMES_MAX: usize = 5;

fn instant(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

/// The expressions of a schedule as they were written.
pub(super) fn crons(schedule: &Schedule) -> Vec<String> {
    match schedule.timing() {
        Some(Timing::Cron { crons, .. }) => crons.iter().map(|c| c.text().to_owned()).collect(),
        _ => Vec::new(),
    }
}

/// Names in a line; of many, the first and how many more.
pub(super) fn names<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let mut names = names.into_iter();
    let first: Vec<&str> = names.by_ref().take(NAMES_MAX).collect();
    let shown = first.join(", ");
    match names.count() {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// When a DAG runs and what holds its runs back.
pub(super) fn timetable(definition: &Definition) -> Vec<(&'static str, String)> {
    let mut said = vec![("Schedule", definition.schedule.to_string())];
    let crons = crons(&definition.schedule);
    if !crons.is_empty() {
        said.push(("Cron", crons.join("; ")));
    }
    said.push(("Time zone", definition.zone().to_string()));
    said.extend(
        definition
            .start
            .map(|at| ("Covers nothing before", instant(at))),
    );
    said.extend(
        definition
            .end
            .map(|at| ("Covers nothing after", instant(at))),
    );
    if definition.schedule.timing().is_some() {
        let words = if definition.catchup {
            "every missed run is made up for"
        } else {
            "only the newest missed run is made"
        };
        said.push(("After a gap", words.to_owned()));
        let words = match definition.overlap {
            Overlap::Queue => "the new one waits",
            Overlap::Skip => "no new run is made",
            Overlap::CancelOld => "the old one is cancelled",
        };
        said.push(("When a run is still on", words.to_owned()));
    }
    said
}

/// What else holds for all of a DAG.
pub(super) fn limits(definition: &Definition) -> Vec<(&'static str, String)> {
    let mut said = vec![("Runs at once", definition.active_runs_max.to_string())];
    let mut number = |word, value: Option<u32>| {
        said.extend(value.map(|value| (word, value.to_string())));
    };
    number("Tasks at once", definition.active_tasks_max);
    number(
        "Tasks at once in a run",
        definition.active_tasks_per_run_max,
    );
    number(
        "Pauses after failed runs in a row",
        definition.pause_after_failures,
    );
    let mut length = |word, value: Option<Duration>| {
        said.extend(value.map(|value| (word, span::text(value))));
    };
    length("A run fails after", definition.run_timeout);
    length("A run is late after", definition.deadline);
    if definition.fail_fast {
        said.push((
            "Fails fast",
            "the first failed task ends the run".to_owned(),
        ));
    }
    if !definition.alerts.is_empty() {
        said.push(("Tells", alerts(&definition.alerts)));
    }
    said
}

fn alerts(rules: &[AlertRule]) -> String {
    let words = rules.iter().map(|rule| {
        let (alert, on) = (&rule.alert, rule.on);
        format!("{} on {on} ({})", alert.route, alert.severity)
    });
    words.collect::<Vec<_>>().join("; ")
}

/// How a task is tried again; nothing if it is not.
pub(super) fn retries(retry: &Retry) -> String {
    if retry.times == 0 {
        return String::new();
    }
    let wait = match retry.backoff {
        Backoff::Fixed => span::text(retry.wait),
        Backoff::Exponential => format!(
            "{} to {}",
            span::text(retry.wait),
            span::text(retry.wait_max)
        ),
    };
    format!("{}, after {wait}", retry.times)
}

/// Where a task runs, as far as it is not where all do.
pub(super) fn place(placement: &Placement) -> String {
    let plain = Placement::default();
    let mut said = Vec::new();
    if placement.pool != plain.pool || placement.slots != plain.slots {
        let slots = match placement.slots {
            1 => String::new(),
            slots => format!(", {slots} slots"),
        };
        said.push(format!("pool {}{slots}", placement.pool));
    }
    if placement.queue != plain.queue {
        said.push(format!("queue {}", placement.queue));
    }
    if placement.priority != plain.priority {
        said.push(format!("priority {}", placement.priority));
    }
    match placement.weight {
        Weight::Downstream => {}
        Weight::Upstream => said.push("weighed by what comes before".to_owned()),
        Weight::Absolute => said.push("weighed by itself".to_owned()),
    }
    if placement.isolation == Isolation::Process {
        said.push("in a process of its own".to_owned());
    }
    said.join(", ")
}

/// What is special about a task.
pub(super) fn special(task: &TaskSpec) -> Vec<String> {
    let mut said = Vec::new();
    match &task.kind {
        TaskKind::Work | TaskKind::Empty => {}
        TaskKind::Branch { arms, .. } => said.push(format!(
            "branches to {}",
            names(arms.iter().map(|arm| arm.label.as_str()))
        )),
        TaskKind::ShortCircuit { .. } => said.push("lets what follows run, or not".to_owned()),
        TaskKind::Sensor { every, .. } => said.push(format!("looks every {}", span::text(*every))),
        TaskKind::Approval { choices, .. } => said.push(format!(
            "asks a person: {}",
            names(choices.iter().map(String::as_str))
        )),
    }
    match &task.role {
        Role::Work => {}
        Role::Setup => said.push("prepares".to_owned()),
        Role::Teardown { setups, .. } => said.push(format!(
            "cleans up after {}",
            names(setups.iter().map(|id| id.as_str()))
        )),
    }
    if let Some(mapping) = &task.mapping {
        said.push(format!(
            "mapped, at most {} instances",
            mapping.instances_max
        ));
    }
    if task.rule != TriggerRule::AllSuccess {
        said.push(format!("runs when {}", task.rule.word().replace('_', " ")));
    }
    said.extend(
        task.timeout
            .map(|span| format!("fails after {}", span::text(span))),
    );
    said.extend(
        task.deadline
            .map(|span| format!("late after {}", span::text(span))),
    );
    let most = &task.concurrency;
    said.extend(most.active_max.map(|most| format!("{most} at once")));
    said.extend(
        most.active_per_run_max
            .map(|most| format!("{most} at once in a run")),
    );
    said.extend(
        most.key
            .as_ref()
            .map(|key| format!("{} at once with key {key}", most.key_active_max)),
    );
    if task.past.depends_on_past {
        said.push("waits for its run before".to_owned());
    }
    if !task.alerts.is_empty() {
        said.push(format!("tells {}", alerts(&task.alerts)));
    }
    said
}

/// The fields of a definition, as people call them. The longest that fits counts.
const FIELDS: &[(&str, &str)] = &[
    ("active_runs_max", "runs at once"),
    ("active_tasks_max", "tasks at once"),
    ("active_tasks_per_run_max", "tasks at once in a run"),
    ("alerts", "alerts"),
    ("catchup", "making up for missed runs"),
    ("concurrency.active_max", "instances at once"),
    (
        "concurrency.active_per_run_max",
        "instances at once in a run",
    ),
    ("concurrency.key", "concurrency key"),
    ("concurrency.key_active_max", "tasks at once with its key"),
    ("config", "configuration"),
    ("deadline", "deadline"),
    ("end", "end"),
    ("fail_fast", "failing fast"),
    ("group", "group"),
    ("groups", "groups"),
    ("inputs", "inputs"),
    ("kind", "kind"),
    ("mapping", "mapping"),
    ("operator", "operator"),
    ("overlap", "overlapping runs"),
    ("params", "param"),
    ("past.depends_on_past", "waiting for its run before"),
    ("past.wait_before_skipping", "waiting before it is skipped"),
    (
        "past.wait_for_downstream",
        "waiting for what follows it in the run before",
    ),
    ("pause_after_failures", "failed runs until it pauses"),
    ("placement.isolation", "isolation"),
    ("placement.pool", "pool"),
    ("placement.priority", "priority"),
    ("placement.queue", "queue"),
    ("placement.slots", "slots"),
    ("placement.weight", "weight"),
    ("retry.backoff", "growth of the wait between tries"),
    ("retry.times", "retries"),
    ("retry.wait", "wait between tries"),
    ("retry.wait_max", "longest wait between tries"),
    ("rule", "trigger rule"),
    ("run_timeout", "longest time of a run"),
    ("start", "start"),
    ("touches.connections", "connections"),
    ("touches.inlets", "assets that are read"),
    ("touches.outlets", "assets that are changed"),
    ("zone", "time zone"),
];

/// What people call a field: `retry.times` is `retries`, `params.days.default` is `param days.default`.
pub(super) fn field(path: &str) -> String {
    let path = path.trim_end_matches(".$text");
    let found = FIELDS.iter().filter_map(|(name, words)| {
        let rest = path.strip_prefix(name)?;
        let fits = rest.is_empty() || rest.starts_with('.');
        fits.then_some((name.len(), *words, rest.trim_start_matches('.')))
    });
    match found.max_by_key(|(length, ..)| *length) {
        Some((_, words, "")) => words.to_owned(),
        Some((_, words, rest)) => format!("{words} {rest}"),
        None => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_have_the_names_that_people_use() {
        for (path, words) in [
            ("retry.times", "retries"),
            ("retry.wait_max", "longest wait between tries"),
            ("config.sql.$text", "configuration sql"),
            ("params.days.default", "param days.default"),
            ("touches.outlets.0", "assets that are changed 0"),
            ("ending", "ending"),
        ] {
            assert_eq!(field(path), words);
        }
    }

    #[test]
    fn many_names_are_counted() {
        assert_eq!(names(["a", "b"]), "a, b");
        let many = ["a", "b", "c", "d", "e", "f", "g"];
        assert_eq!(names(many), "a, b, c, d, e and 2 more");
    }
}
