//! How long the tasks of a DAG took over its last runs, and how long they waited.

use std::collections::HashMap;
use std::time::Duration;

use tidemill_core::protocol::RunNo;
use tidemill_core::spec::DagSpec;
use tidemill_core::state::TaskState;
use tidemill_core::time::Timestamp;
use tidemill_store::history::{Grid, GridCell};

/// A change of a median by less than this is none.
const STEADY: f64 = 0.2;
/// Fewer runs than this have no trend.
const TREND_RUNS_MIN: usize = 6;

/// Lengths of time, sorted.
#[derive(Debug, Default)]
pub(in crate::pages) struct Spans(Vec<Duration>);

impl Spans {
    pub(in crate::pages) fn of(spans: impl IntoIterator<Item = Duration>) -> Self {
        let mut spans: Vec<Duration> = spans.into_iter().collect();
        spans.sort_unstable();
        Self(spans)
    }

    /// The span that this many hundredths of them do not exceed.
    pub(in crate::pages) fn hundredth(&self, hundredths: usize) -> Option<Duration> {
        let rank = (self.0.len() * hundredths).div_ceil(100).max(1);
        self.0.get(rank - 1).copied()
    }

    pub(in crate::pages) fn median(&self) -> Option<Duration> {
        self.hundredth(50)
    }
}

/// How the newer half of some runs compares to the older half.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trend {
    Unknown,
    Steady,
    /// By so many per cent.
    Slower(u32),
    Faster(u32),
}

/// `spans` begins with the newest.
pub(super) fn trend(spans: &[Duration]) -> Trend {
    if spans.len() < TREND_RUNS_MIN {
        return Trend::Unknown;
    }
    let (newer, older) = spans.split_at(spans.len() / 2);
    let median = |of: &[Duration]| Spans::of(of.iter().copied()).median().unwrap_or_default();
    let (newer, older) = (median(newer), median(older));
    // What takes next to no time is slower by half for no reason.
    if newer.abs_diff(older) < Duration::from_secs(1) {
        return Trend::Steady;
    }
    let change = newer.as_secs_f64() / older.as_secs_f64().max(0.001) - 1.0;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is cut to what people read"
    )]
    let per_cent = (change.abs() * 100.0).min(9_999.0) as u32;
    if change.abs() < STEADY {
        Trend::Steady
    } else if change > 0.0 {
        Trend::Slower(per_cent)
    } else {
        Trend::Faster(per_cent)
    }
}

/// A task over the last runs.
#[derive(Debug)]
pub(super) struct TaskTimes {
    pub(super) name: String,
    /// How many runs it was well in.
    pub(super) runs: usize,
    pub(super) failed: usize,
    pub(super) median: Option<Duration>,
    pub(super) most: Option<Duration>,
    /// The last run that it was well in, and how long it took there.
    pub(super) last: Option<(RunNo, Duration)>,
    pub(super) trend: Trend,
    /// The median of what it waited from when everything before it was done until it began.
    pub(super) waited: Option<Duration>,
}

/// A task of one run; of a mapped one all its instances together.
#[derive(Debug, Clone, Copy)]
struct Whole {
    state: TaskState,
    began: Option<Timestamp>,
    ended: Timestamp,
    number: u32,
}

impl Whole {
    fn of(cell: &GridCell) -> Self {
        Self {
            state: cell.state,
            began: cell.started_at,
            ended: cell.since,
            number: cell.number,
        }
    }

    fn with(&mut self, cell: &GridCell) {
        if !cell.instances {
            self.state = cell.state;
        }
        self.began = match (self.began, cell.started_at) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        self.ended = self.ended.max(cell.since);
        self.number = self.number.max(cell.number);
    }
}

/// The tasks of one run by their place in the definition.
type OfRun = Vec<Option<Whole>>;

/// The tasks of the newest version over these runs, the slowest first.
pub(super) fn times(spec: &DagSpec, grid: &Grid) -> Vec<TaskTimes> {
    let tasks = &spec.definition.tasks;
    let places = tasks.iter().enumerate();
    let places: HashMap<&str, usize> = places.map(|(at, task)| (task.id.as_str(), at)).collect();
    let mut runs: HashMap<RunNo, OfRun> = HashMap::new();
    for cell in &grid.cells {
        let Some(place) = places.get(cell.name.as_str()) else {
            continue;
        };
        let of_run = runs
            .entry(cell.run)
            .or_insert_with(|| vec![None; tasks.len()]);
        match &mut of_run[*place] {
            Some(whole) => whole.with(cell),
            none => *none = Some(Whole::of(cell)),
        }
    }
    let before: Vec<Vec<usize>> = tasks
        .iter()
        .map(|task| {
            let before = task.upstream.iter();
            let before = before.filter_map(|up| places.get(up.task.as_str()));
            before.copied().collect()
        })
        .collect();
    let mut times: Vec<TaskTimes> = (0..tasks.len())
        .filter_map(|at| {
            let of_task = grid.runs.iter().filter_map(|run| {
                let of_run = runs.get(&run.id)?;
                let whole = of_run[at]?;
                let ready = before[at]
                    .iter()
                    .filter_map(|at| Some(of_run[*at]?.ended))
                    .max();
                let ready = ready.max(run.started_at)?;
                Some((run.id, whole, ready))
            });
            task_times(tasks[at].id.as_str(), of_task)
        })
        .collect();
    times.sort_by(|a, b| b.median.cmp(&a.median).then_with(|| a.name.cmp(&b.name)));
    times
}

fn task_times(
    name: &str,
    of_task: impl Iterator<Item = (RunNo, Whole, Timestamp)>,
) -> Option<TaskTimes> {
    let (mut spans, mut waits, mut failed, mut last) = (Vec::new(), Vec::new(), 0, None);
    for (run, whole, ready) in of_task {
        failed += usize::from(whole.state == TaskState::Failed);
        let Some(began) = whole.began else { continue };
        // Of one that was tried again only the last attempt is known, and not what it waited.
        if whole.number <= 1 {
            waits.push(began.since(ready));
        }
        if whole.state == TaskState::Success {
            let span = whole.ended.since(began);
            last = last.or(Some((run, span)));
            spans.push(span);
        }
    }
    if spans.is_empty() && failed == 0 {
        return None;
    }
    let sorted = Spans::of(spans.iter().copied());
    Some(TaskTimes {
        name: name.to_owned(),
        runs: spans.len(),
        failed,
        median: sorted.median(),
        most: sorted.hundredth(95),
        last,
        trend: trend(&spans),
        waited: Spans::of(waits).median(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(spans: &[u64]) -> Vec<Duration> {
        spans
            .iter()
            .map(|span| Duration::from_secs(*span))
            .collect()
    }

    #[test]
    fn medians_and_hundredths_are_spans_that_there_were() {
        let spans = Spans::of(seconds(&[5, 1, 4, 2, 3]));
        assert_eq!(spans.median(), Some(Duration::from_secs(3)));
        assert_eq!(spans.hundredth(95), Some(Duration::from_secs(5)));
        assert_eq!(spans.hundredth(1), Some(Duration::from_secs(1)));
        assert_eq!(
            Spans::of(seconds(&[1, 9])).median(),
            Some(Duration::from_secs(1))
        );
        assert_eq!(Spans::of([]).median(), None);
    }

    #[test]
    fn a_trend_compares_the_newer_half_with_the_older() {
        for (newest_first, is) in [
            (&[30, 30, 30, 20, 20, 20][..], Trend::Slower(50)),
            (&[10, 10, 10, 20, 20, 20], Trend::Faster(50)),
            (&[21, 20, 19, 20, 20, 20], Trend::Steady),
            (&[1, 1, 1, 0, 0, 0, 0], Trend::Slower(9_999)),
            (&[30, 30, 20, 20], Trend::Unknown),
        ] {
            assert_eq!(trend(&seconds(newest_first)), is, "{newest_first:?}");
        }
    }
}
