//! What must be true after everything has healed: of the database by itself, and of the database beside the witness.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tidemill_core::id::TaskId;
use tidemill_core::protocol::{MapIndex, RunNo};
use tidemill_core::state::{RunState, TaskState};
use tidemill_store::history::AttemptCursor;
use tidemill_store::record::{AttemptEnd, AttemptRow, Recovered, RunRow, TaskRow};

use crate::fleet::Fleet;
use crate::wall;
use crate::witness::{Instance, Line, What};

/// What was counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Runs.
    pub runs: usize,
    /// Task instances that some worker ran.
    pub tasks: usize,
    /// Attempts that are on record.
    pub attempts: usize,
    /// Those of them that the platform lost.
    pub lost: usize,
    /// Jobs that were accepted.
    pub jobs: usize,
    /// Jobs that were asked for again under the same key.
    pub refused: usize,
}

/// Waits until runs have ended.
pub async fn ended(fleet: &Fleet, runs: &[RunNo], within: Duration) {
    fleet
        .until("all runs have ended", within, async |fleet| {
            let read = fleet.store.load_runs(runs).await.ok()?;
            let open = |run: &RunRow| matches!(run.state, RunState::Queued | RunState::Running);
            (read.runs.len() == runs.len() && !read.runs.iter().any(open)).then_some(())
        })
        .await;
}

/// The attempts of a run that are over.
pub async fn attempts(fleet: &Fleet, run: RunNo) -> Vec<AttemptRow> {
    const PAGE: u32 = 1_000;
    let (mut all, mut place) = (Vec::new(), AttemptCursor::START);
    loop {
        let page = fleet.store.attempts_of_run(run, place, PAGE).await;
        let page = page.expect("the attempts can be read");
        let Some(last) = page.last() else { return all };
        place = AttemptCursor::from(last);
        let whole = page.len() == PAGE as usize;
        all.extend(page);
        if !whole {
            return all;
        }
    }
}

/// Looks whether the database agrees with itself.
pub async fn check_database(fleet: &Fleet) {
    let found = fleet.store.check(wall()).await;
    let found = found.expect("the database can be checked");
    assert!(found.is_empty(), "{found:#?}");
    let chains = fleet.store.verify_audit(&[], None).await;
    for chain in chains.expect("the audit log can be checked") {
        assert_eq!(chain.fault, None, "{:?}", chain.chain);
    }
}

/// Looks whether the database agrees with itself and with the witness about these runs, all of which succeeded, and counts.
pub async fn audit(fleet: &Fleet, runs: &[RunNo]) -> Counts {
    check_database(fleet).await;
    let read = fleet.store.load_runs(runs).await;
    let read = read.expect("the runs can be read");
    let mut of_task: BTreeMap<(RunNo, u32, MapIndex), Vec<AttemptRow>> = BTreeMap::new();
    for run in runs {
        for attempt in attempts(fleet, *run).await {
            let of = attempt.of;
            let key = (of.run, of.task.0, of.map_index);
            of_task.entry(key).or_default().push(attempt);
        }
    }
    let seen = Seen::by(fleet);
    let mut counts = Counts {
        runs: read.runs.len(),
        ..Counts::default()
    };
    for run in &read.runs {
        assert_eq!(run.state, RunState::Success, "{} {:?}", run.name, run.why);
    }
    for task in &read.tasks {
        let key = (task.of.run, task.of.task.0, task.of.map_index);
        let tried = of_task.remove(&key).unwrap_or_default();
        if task.attempt.0 == 0 {
            // Nothing that a worker runs: a mapped task as a whole.
            assert!(tried.is_empty(), "{task:?}");
            continue;
        }
        counts.tasks += 1;
        counts.attempts += tried.len();
        let lost = |tried: &&AttemptRow| tried.end == AttemptEnd::Lost;
        counts.lost += tried.iter().filter(lost).count();
        one_success(task, &tried);
        let of = instance(&read, task);
        match of.task.split('_').next() {
            Some("job") => counts.jobs += seen.jobs_agree(&of, task),
            Some("first" | "last" | "work" | "row" | "each" | "behind") => {
                seen.work_agrees(&of, task, &tried);
            }
            _ => {}
        }
    }
    assert!(of_task.is_empty(), "attempts of no task: {of_task:#?}");
    counts.refused = seen.count(What::Refused);
    counts
}

/// Every attempt is there once, and one of them succeeded: the last.
fn one_success(task: &TaskRow, tried: &[AttemptRow]) {
    let at = || format!("{task:?}\n{tried:#?}");
    assert_eq!(task.state, TaskState::Success, "{}", at());
    let mut numbers: Vec<u32> = tried.iter().map(|tried| tried.number).collect();
    numbers.sort_unstable();
    let all: Vec<u32> = (1..=task.number).collect();
    assert_eq!(numbers, all, "{}", at());
    let good: Vec<u32> = tried
        .iter()
        .filter(|tried| tried.end == AttemptEnd::Success)
        .map(|tried| tried.number)
        .collect();
    assert_eq!(good, [task.number], "{}", at());
}

fn instance(read: &Recovered, task: &TaskRow) -> Instance {
    let run = read.runs.iter().find(|run| run.id == task.of.run);
    let run = run.expect("a task's run is there");
    Instance {
        dag: run.dag.as_str().to_owned(),
        run: run.name.to_string(),
        task: TaskId::as_str(&task.name).to_owned(),
        index: task.of.map_index,
    }
}

/// What the witness has seen.
struct Seen {
    lines: Vec<Line>,
    /// The keys of the jobs of each instance.
    keys: BTreeMap<Instance, BTreeSet<String>>,
}

impl Seen {
    fn by(fleet: &Fleet) -> Self {
        let mut keys: BTreeMap<Instance, BTreeSet<String>> = BTreeMap::new();
        for (key, job) in fleet.witness.jobs() {
            keys.entry(job.of).or_default().insert(key);
        }
        let lines = fleet.witness.lines();
        Self { lines, keys }
    }

    fn count(&self, what: What) -> usize {
        self.lines.iter().filter(|line| line.what == what).count()
    }

    fn of<'a>(&'a self, of: &'a Instance, what: What) -> impl Iterator<Item = &'a Line> {
        let lines = self.lines.iter();
        lines.filter(move |line| line.what == what && line.of == *of)
    }

    fn attempts(&self, of: &Instance, what: What) -> Vec<u32> {
        self.of(of, what).map(|line| line.attempt).collect()
    }

    /// One job for each launch that was decided, and no other. Says how many.
    fn jobs_agree(&self, of: &Instance, task: &TaskRow) -> usize {
        let keys = self.keys.get(of).map_or(0, BTreeSet::len);
        assert_eq!(
            keys,
            task.epoch as usize,
            "jobs of {of:?}: {:?}\n{task:?}",
            self.keys.get(of)
        );
        let cancelled = self.attempts(of, What::Cancelled);
        assert!(cancelled.is_empty(), "{of:?} was cancelled: {cancelled:?}");
        keys
    }

    /// What is on record as begun and done is what was begun and done. An attempt that was lost may have done its work. One
    /// that was ended before it could say that it began may begin again; in no process it is done twice.
    fn work_agrees(&self, of: &Instance, task: &TaskRow, tried: &[AttemptRow]) {
        let at = || format!("{of:?}\n{task:?}\n{tried:#?}");
        let began = self.attempts(of, What::Started);
        let once: BTreeSet<u32> = began.iter().copied().collect();
        let ended: Vec<(u32, u32)> = self
            .of(of, What::Ended)
            .map(|line| (line.attempt, line.pid))
            .collect();
        let each: BTreeSet<_> = ended.iter().collect();
        assert_eq!(ended.len(), each.len(), "done {ended:?}: {}", at());
        let done = self.attempts(of, What::Ended);
        assert!(done.contains(&task.number), "done {done:?}: {}", at());
        for tried in tried {
            let known = match tried.end {
                AttemptEnd::Success | AttemptEnd::Failed => once.contains(&tried.number),
                _ => true,
            };
            assert!(known, "it never began: {tried:?} {}", at());
            if tried.end == AttemptEnd::Failed {
                assert!(!done.contains(&tried.number), "it was done: {}", at());
            }
        }
        let last = once.last().copied().unwrap_or(0);
        assert!(last <= task.number, "began {began:?}: {}", at());
    }
}
