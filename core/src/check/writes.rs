//! Writes that wipe each other out: runs that share a partition, instances that share a table. Each runs without an error
//! and leaves the last one's rows alone.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::texts::is_mapped;
use crate::problem::{Problem, Rule};
use crate::spec::{Dedup, Definition, Destination, TaskSpec, Timing, WriteMode};
use crate::text::{self, Placeholder, Values};

pub(super) fn check(definition: &Definition, problems: &mut Vec<Problem>) {
    let mut runs: Option<Vec<(DateTime<Utc>, DateTime<Utc>)>> = None;
    let mut known: Vec<(String, Option<Problem>)> = Vec::new();
    for task in &definition.tasks {
        for destination in &task.touches.writes {
            if is_mapped(definition, task) {
                problems.extend(shared_by_instances(task, destination));
            }
            let WriteMode::Append(Dedup::Partition(partition)) = &destination.mode else {
                continue;
            };
            let Some(timing) = definition.schedule.timing() else {
                continue;
            };
            // What a table is called only matters where its name changes with time: most tasks of a DAG then share one
            // text, which is looked at once.
            let table = destination.table.as_str();
            let both = if table.contains('{') {
                format!("{table} {partition}")
            } else {
                partition.to_string()
            };
            let found = match known.iter().find(|(text, _)| *text == both) {
                Some((_, found)) => found.clone(),
                None => {
                    let runs = runs.get_or_insert_with(|| sample(definition, timing));
                    let found = shared_by_runs(definition, &both, partition.as_str(), runs);
                    known.push((both, found.clone()));
                    found
                }
            };
            problems.extend(found.map(|problem| problem.task(&task.id)));
        }
    }
}

/// Whether a text can differ from one instance, or one run, to the next for another reason than time.
fn varies(text: &str, by: impl Fn(&Placeholder) -> bool) -> bool {
    text::placeholders(text).is_ok_and(|placeholders| placeholders.iter().any(by))
}

fn shared_by_instances(task: &TaskSpec, destination: &Destination) -> Option<Problem> {
    let by_instance = |placeholder: &Placeholder| {
        matches!(
            placeholder,
            Placeholder::Item(_)
                | Placeholder::MapIndex
                | Placeholder::LaunchKey
                | Placeholder::Out(_)
        )
    };
    let what = match &destination.mode {
        WriteMode::Truncate => "replace the whole table",
        WriteMode::Append(Dedup::Partition(partition))
            if !varies(partition.as_str(), by_instance) =>
        {
            "replace the same partition"
        }
        _ => return None,
    };
    if varies(destination.table.as_str(), by_instance) {
        return None;
    }
    let message = format!(
        "its instances all {what} of `{}`: only the last one's rows stay",
        destination.table
    );
    let help = "put `{item}` into the table or partition, merge by key, or load once after the mapped task";
    Some(Problem::new(Rule::Overwrite, message, help).task(&task.id))
}

fn shared_by_runs(
    definition: &Definition,
    both: &str,
    partition: &str,
    runs: &[(DateTime<Utc>, DateTime<Utc>)],
) -> Option<Problem> {
    let by_run = |placeholder: &Placeholder| {
        matches!(
            placeholder,
            Placeholder::RunId
                | Placeholder::LaunchKey
                | Placeholder::Out(_)
                | Placeholder::Param(_)
        )
    };
    if varies(both, by_run) {
        return None;
    }
    let filled: Vec<String> = runs
        .iter()
        .map(|run| fill(definition, both, *run))
        .collect::<Option<_>>()?;
    let (first, second) = (1..filled.len())
        .flat_map(|later| (later.saturating_sub(3)..later).map(move |earlier| (earlier, later)))
        .find(|(earlier, later)| filled[*earlier] == filled[*later])?;
    let at = |nth: usize| runs[nth].0.with_timezone(&definition.zone()).to_rfc3339();
    let message = format!(
        "the runs of {} and {} replace the same partition `{}`",
        at(first),
        at(second),
        fill(definition, partition, runs[first]).unwrap_or_default()
    );
    let help = "name the partition after the whole interval: `{interval_start_utc:%Y%m%d%H}`";
    Some(Problem::new(Rule::Overwrite, message, help))
}

/// Runs to try a partition on: the first ones, and for frequent schedules those around a repeated hour.
fn sample(definition: &Definition, timing: &Timing) -> Vec<(DateTime<Utc>, DateTime<Utc>)> {
    const FIRST: usize = 4;
    const DAY_AROUND: usize = 40;
    let anchor = definition.start.unwrap_or(DateTime::UNIX_EPOCH);
    let ticks = |from: DateTime<Utc>, count: usize| {
        let mut ticks = vec![];
        let mut at = from;
        while let Some(next) = timing
            .next_after(anchor, at)
            .filter(|_| ticks.len() < count)
        {
            ticks.push(next);
            at = next;
        }
        ticks
    };
    let year = DateTime::UNIX_EPOCH + TimeDelta::days(20_089);
    let mut all = ticks(anchor.max(year), FIRST);
    let is_frequent = all
        .windows(2)
        .any(|pair| pair[1] - pair[0] < TimeDelta::hours(3));
    if is_frequent && definition.zone() != chrono_tz::Tz::UTC {
        // 2025: the clocks go back in Australia, Europe and America on the day after each of these.
        for day in [20_183, 20_386, 20_393] {
            all.extend(ticks(
                DateTime::UNIX_EPOCH + TimeDelta::days(day),
                DAY_AROUND,
            ));
        }
    }
    all.sort_unstable();
    all.dedup();
    all.windows(2).map(|pair| (pair[0], pair[1])).collect()
}

/// A text as a run would see it; what is no time is the same for all.
fn fill(
    definition: &Definition,
    text: &str,
    interval: (DateTime<Utc>, DateTime<Utc>),
) -> Option<String> {
    let same = json!({});
    let variables: Vec<(String, String)> = text::placeholders(text)
        .ok()?
        .into_iter()
        .filter_map(|placeholder| match placeholder {
            Placeholder::Var(name) => Some((name, String::new())),
            _ => None,
        })
        .collect();
    let values = Values {
        interval,
        zone: definition.zone(),
        dag_id: definition.id.as_str(),
        run_id: "",
        run_type: "",
        task_id: "",
        map_index: Some(0),
        attempt: 1,
        launch_key: "",
        params: &same,
        item: Some(&Value::Null),
        outputs: &[],
        variables: &variables,
    };
    // An element of a list has fields that are not known here: such a text is not looked at.
    text::fill(text, &values).ok()
}
