//! A DAG as `dags test` runs it: by hand, in this process, and perhaps only a part of it.

use tidemill_core::graph::Graph;
use tidemill_core::spec::{DagSpec, Isolation, Role, Schedule};
use tidemill_core::time::Timestamp;
use tidemill_core::timetable::Window;

use crate::clock;
use crate::output::Output;
use crate::remote::{When, unknown};

/// The DAG without what begins runs by itself or tells anybody about them; of its tasks only these and what is before
/// them, if any are named.
pub(super) fn alone(spec: &DagSpec, tasks: &[String]) -> Result<DagSpec, Output> {
    let mut spec = spec.clone();
    let definition = &mut spec.definition;
    definition.zone = Some(definition.zone());
    definition.schedule = Schedule::Manual;
    definition.end = None;
    definition.pause_after_failures = None;
    definition.deadline = None;
    definition.alerts.clear();
    for task in &mut definition.tasks {
        task.alerts.clear();
        task.deadline = None;
        task.placement.isolation = Isolation::Inline;
    }
    if tasks.is_empty() {
        return Ok(spec);
    }
    let mut wanted = Vec::new();
    for name in tasks {
        let at = definition.position(name).ok_or_else(|| {
            let known = definition.tasks.iter().map(|task| task.id.as_str());
            unknown("task", name, known, "dags show")
        })?;
        wanted.push(at);
    }
    let mut keep = Graph::of(definition).before(&wanted);
    for at in wanted {
        keep[at] = true;
    }
    // What is set up is torn down again.
    let set_up: Vec<_> = definition
        .tasks
        .iter()
        .zip(&keep)
        .filter(|(task, keep)| **keep && task.role == Role::Setup)
        .map(|(task, _)| task.id.clone())
        .collect();
    for (at, task) in definition.tasks.iter().enumerate() {
        if let Role::Teardown { setups, .. } = &task.role {
            keep[at] |= setups.iter().any(|setup| set_up.contains(setup));
        }
    }
    let mut kept = keep.iter();
    definition
        .tasks
        .retain(|_| kept.next().copied().unwrap_or(false));
    let there: Vec<_> = definition
        .tasks
        .iter()
        .map(|task| task.id.clone())
        .collect();
    for task in &mut definition.tasks {
        task.upstream.retain(|up| there.contains(&up.task));
    }
    Ok(spec)
}

/// What the run covers.
pub(super) fn covers(
    spec: &DagSpec,
    date: Option<&When>,
) -> Result<Option<(Timestamp, Timestamp)>, Output> {
    let definition = &spec.definition;
    let now = clock::now();
    let Some(date) = date else {
        let due = definition.schedule.manual(&definition.window(), now);
        return Ok(Some((due.start.into(), due.end.into())));
    };
    let zone = definition.zone();
    let (from, to) = (date.begins(zone)?, date.ends(zone)?);
    let window = Window {
        anchor: definition.start,
        start: Some(from.date()),
        end: None,
        catchup: true,
    };
    // As if everything up to a year after it were over.
    let late = from
        .after(std::time::Duration::from_secs(366 * 24 * 3_600))
        .date();
    if definition.schedule.timing().is_none() {
        let end = match date.day() {
            Some(_) => to.after(std::time::Duration::from_micros(1)),
            None => from,
        };
        return Ok(Some((from, end)));
    }
    let due = definition.schedule.next_due(&window, None, late);
    let due = due.filter(|due| date.day().is_none() || Timestamp::from(due.start) <= to);
    let due = due.ok_or_else(|| {
        Output::usage(
            format_args!(
                "no run of `{}` begins then: {}",
                spec.id(),
                definition.schedule
            ),
            "give another `--date`",
        )
    })?;
    Ok(Some((due.start.into(), due.end.into())))
}
