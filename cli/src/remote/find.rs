//! Finding what people name: DAGs, runs, tasks.

use std::str::FromStr;

use tidemill_core::id::{DagId, TaskId, nearest};
use tidemill_core::protocol::{InstanceRef, MapIndex, NOT_MAPPED, RunNo};
use tidemill_core::spec::DagSpec;
use tidemill_core::time::Timestamp;
use tidemill_store::history::RunFilter;
use tidemill_store::record::{DagRow, Recovered, RunRow, TaskDetailRow, TaskRow};

use super::{Reads, Remote};
use crate::output::Output;

/// The word for the run that covers the newest time.
const LATEST: &str = "latest";

/// A run with all that is stored of it.
#[derive(Debug, Clone)]
pub(crate) struct RunFull {
    /// The run.
    pub(crate) run: RunRow,
    /// Its tasks.
    pub(crate) tasks: Vec<TaskRow>,
    /// What only some of them have.
    pub(crate) details: Vec<TaskDetailRow>,
    /// What its DAG was when it was made.
    pub(crate) spec: Option<std::sync::Arc<DagSpec>>,
}

impl RunFull {
    /// Of what was read back of one run.
    pub(crate) fn of(read: Recovered) -> Option<Self> {
        let run = read.runs.into_iter().next()?;
        let version = read.versions.into_iter();
        let mut version = version.filter(|row| row.version == run.version);
        Some(Self {
            tasks: read.tasks,
            details: read.task_details,
            spec: version.next().map(|row| row.spec),
            run,
        })
    }

    /// What only some tasks have.
    pub(crate) fn detail(&self, of: InstanceRef) -> Option<&TaskDetailRow> {
        self.details.iter().find(|detail| detail.of == of)
    }

    /// DAG and run, for people.
    pub(crate) fn path(&self) -> String {
        format!("{} {}", self.run.dag, self.run.name)
    }
}

/// A task as people write it: `load`, or `load[3]` for one instance of a mapped one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TaskName {
    /// The task.
    pub(crate) task: TaskId,
    /// The instance.
    pub(crate) index: Option<MapIndex>,
}

impl FromStr for TaskName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, index) = match text.strip_suffix(']').and_then(|text| text.split_once('[')) {
            None => (text, None),
            Some((name, index)) => {
                let index: u16 = index
                    .parse()
                    .map_err(|_| format!("`{index}` is no index; write `task[0]`"))?;
                (name, Some(MapIndex::from(index)))
            }
        };
        let task = TaskId::parse(name).map_err(|error| error.to_string())?;
        Ok(Self { task, index })
    }
}

/// A task's name with its index, if it has one.
pub(crate) fn shown(name: &TaskId, index: MapIndex) -> String {
    if index == NOT_MAPPED {
        name.to_string()
    } else {
        format!("{name}[{index}]")
    }
}

/// An instant in a table: UTC, to the second.
pub(crate) fn at(time: Timestamp) -> String {
    time.date().format("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// How long it took from here to there.
pub(crate) fn span_of(from: Timestamp, to: Timestamp) -> String {
    let span = to.since(from);
    let seconds = span.as_secs();
    match seconds {
        0..60 => format!("{:.1}s", span.as_secs_f64()),
        60..3_600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h {:02}m", seconds / 3_600, seconds / 60 % 60),
    }
}

/// That there is no such thing, and what was probably meant.
pub(crate) fn unknown<'a>(
    what: &str,
    name: &str,
    known: impl IntoIterator<Item = &'a str>,
    list: &str,
) -> Output {
    let help = match nearest(name, known) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("`{list}` shows all there are"),
    };
    Output::usage(format_args!("there is no {what} `{name}`"), help)
}

impl Remote {
    /// A DAG that was deployed, and its newest version.
    pub(crate) fn dag(
        &self,
        name: &str,
    ) -> Result<(DagRow, Option<std::sync::Arc<DagSpec>>), Output> {
        let Some(row) = self.read(self.reads.dag(name))? else {
            let all = self.read(self.reads.dags())?;
            let known = all.iter().map(|row| row.id.as_str());
            return Err(unknown("DAG", name, known, "dags list"));
        };
        let spec = self.read(self.reads.spec(&row.id, row.version.as_ref()))?;
        Ok((row, spec))
    }

    /// The zone in which a DAG's days are meant.
    pub(crate) fn zone(&self, dag: &str) -> Result<chrono_tz::Tz, Output> {
        let (_, spec) = self.dag(dag)?;
        Ok(spec.map_or(chrono_tz::Tz::UTC, |spec| spec.definition.zone()))
    }

    /// The number of a run: by its name, its number, or `latest`.
    pub(crate) fn run(&self, dag: &str, run: &str) -> Result<RunRow, Output> {
        let (row, _) = self.dag(dag)?;
        if let Some(named) = self.read(self.reads.run_named(&row.id, run))? {
            return Ok(named);
        }
        let found = match run.parse::<i64>() {
            // A web server would have known its number.
            _ if matches!(self.reads, Reads::Web(_)) => Vec::new(),
            Ok(number) => self.read(self.reads.full(RunNo(number)))?.runs,
            Err(_) if run == LATEST => self.newest(&row.id)?,
            Err(_) => Vec::new(),
        };
        let mine = found.into_iter().find(|found| found.dag == row.id);
        mine.ok_or_else(|| {
            Output::usage(
                format_args!("`{dag}` has no run `{run}`"),
                format_args!(
                    "`runs list {dag}` shows them; name one by its name, its number, or `{LATEST}`"
                ),
            )
        })
    }

    fn newest(&self, dag: &DagId) -> Result<Vec<RunRow>, Output> {
        let of = RunFilter {
            dag: Some(dag.clone()),
            ..RunFilter::default()
        };
        self.read(self.reads.runs(&of, 1))
    }

    /// A run with its tasks.
    pub(crate) fn run_full(&self, no: RunNo) -> Result<RunFull, Output> {
        let read = self.read(self.reads.full(no))?;
        RunFull::of(read)
            .ok_or_else(|| Output::usage(format_args!("there is no run {no} any more"), ""))
    }

    /// The instance of a run that a person names.
    pub(crate) fn instance(&self, full: &RunFull, name: &TaskName) -> Result<TaskRow, Output> {
        let index = name.index.unwrap_or(NOT_MAPPED);
        let mut of_task = full
            .tasks
            .iter()
            .filter(|row| row.name == name.task)
            .peekable();
        if of_task.peek().is_none() {
            let rows = full.tasks.iter().map(|row| row.name.as_str());
            let of_spec = full.spec.iter().flat_map(|spec| &spec.definition.tasks);
            let of_spec = of_spec.map(|task| task.id.as_str());
            if of_spec.clone().any(|known| known == name.task.as_str()) {
                let message = format_args!("{} has not begun, so it has no tasks yet", full.path());
                return Err(Output::usage(message, "`runs show` says what it waits for"));
            }
            let known: Vec<&str> = rows.chain(of_spec).collect();
            return Err(unknown("task", name.task.as_str(), known, "tasks list"));
        }
        of_task
            .find(|row| row.of.map_index == index)
            .cloned()
            .ok_or_else(|| {
                let shown = shown(&name.task, index);
                Output::usage(
                    format_args!("{} has no task `{shown}`", full.path()),
                    "`tasks list` shows the instances there are",
                )
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_are_named_with_or_without_an_index() {
        let name: TaskName = "load[12]".parse().unwrap();
        assert_eq!((name.task.as_str(), name.index), ("load", Some(12)));
        let name: TaskName = "load".parse().unwrap();
        assert_eq!((name.task.as_str(), name.index), ("load", None));
        for wrong in ["load[x]", "load[-1]", "lo ad", "", "[1]"] {
            assert!(wrong.parse::<TaskName>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn spans_are_short() {
        let span = |seconds: i64| {
            span_of(
                Timestamp::from_micros(0),
                Timestamp::from_micros(seconds * 1_000_000),
            )
        };
        assert_eq!(
            [span(0), span(61), span(7_320)],
            ["0.0s", "1m 01s", "2h 02m"]
        );
    }
}
