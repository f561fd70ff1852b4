//! Home: whether all is well, what needs a person, what runs, what comes next.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use tidemill_core::id::{DagId, TaskId};
use tidemill_core::protocol::NOT_MAPPED;
use tidemill_core::state::RunState;
use tidemill_core::time::Timestamp;
use tidemill_store::history::{Cursor, Failure, RunFilter};
use tidemill_store::record::RunRow;

use super::monitor::Today;
use super::page;
use super::paused::{self, PausedPool};
use super::rows::{RunLine, known, next_due};
use super::usual::{LATE, Usual};
use crate::frame::Frame;
use crate::html::{Chip, Html, Since, Tone, Until, When, day};
use crate::oops::Oops;
use crate::paths;

/// What failed longer ago is not shown here.
const FAILED_WITHIN: Duration = Duration::from_secs(24 * 3600);
const FAILED_RUNS_MAX: u32 = 200;
const FAILURES_MAX: u32 = 1_000;
const RUNNING_MAX: u32 = 20;
const NEXT_MAX: usize = 8;

/// Something about the health of the platform.
struct HealthLine {
    says: String,
    well: bool,
}

/// Failures of one task for one reason.
struct Cause {
    says: String,
    dag: DagId,
    task: TaskId,
    runs: usize,
    since: When,
    href: String,
    /// All runs that failed for it.
    alike: String,
}

struct Running {
    dag: DagId,
    name: Arc<str>,
    href: String,
    chip: Chip,
    elapsed: Option<Since>,
    /// When it usually ends; in words once that is over.
    expected: Option<Html>,
    late: Option<Chip>,
}

struct Next {
    dag: DagId,
    href: String,
    rest: Until,
    at: When,
}

#[derive(Template)]
#[template(path = "home.html")]
pub(crate) struct Home {
    frame: Frame,
    day: String,
    well: Chip,
    all_well: bool,
    health: Vec<HealthLine>,
    causes: Vec<Cause>,
    running: Vec<Running>,
    next: Vec<Next>,
    today: Option<Today>,
    paused_pools: Vec<PausedPool>,
}

page!(Home);

pub(crate) async fn show(frame: Frame) -> Result<Home, Oops> {
    let (store, now) = (frame.web.store(), frame.now);
    let since = Timestamp::from_micros(
        now.micros() - i64::try_from(FAILED_WITHIN.as_micros()).unwrap_or(i64::MAX),
    );
    let among = frame.among().await?;
    let most = (FAILED_RUNS_MAX, FAILURES_MAX);
    let failures = store.failures(since, among.as_deref(), most).await?;
    let failures = failures
        .into_iter()
        .filter(|failure| frame.sees(&failure.run.dag));
    let running = RunFilter {
        state: Some(RunState::Running),
        among: among.clone(),
        ..RunFilter::default()
    };
    let running = store.runs(&running, Cursor::START, RUNNING_MAX).await?;
    let usual = usual(&frame, &running).await?;
    let running = running.iter().filter(|run| frame.sees(&run.dag));
    let running = running.map(|run| {
        let line = RunLine::new(run, now);
        let usual = usual.get(&run.dag).copied();
        let expected = run.started_at.zip(usual);
        Running {
            dag: line.dag,
            name: line.name,
            href: line.href,
            chip: line.chip,
            elapsed: run.started_at.map(|at| Since { now, at }),
            expected: expected.map(|(began, usual)| usual.expects(began, now)),
            late: expected
                .filter(|(began, usual)| usual.is_late(now.since(*began)))
                .map(|_| LATE),
        }
    });
    let mut next: Vec<(Timestamp, DagId)> = known(&frame)
        .await?
        .iter()
        .filter_map(|dag| Some((next_due(dag, now)?, dag.row.id.clone())))
        .collect();
    next.sort();
    next.truncate(NEXT_MAX);
    let health = health(&frame).await?;
    Ok(Home {
        day: day(now),
        all_well: health.iter().all(|line| line.well),
        well: Chip::new(Tone::Ok, "All well"),
        health,
        causes: causes(failures),
        running: running.collect(),
        next: next
            .into_iter()
            .map(|(at, dag)| Next {
                href: paths::dag(&dag),
                rest: Until { now, at },
                at: When(at),
                dag,
            })
            .collect(),
        today: Today::read(&frame, among).await?,
        paused_pools: paused::pools(&frame, None).await?,
        frame,
    })
}

/// How long the runs of the DAGs that run now usually take.
async fn usual(frame: &Frame, running: &[RunRow]) -> Result<HashMap<DagId, Usual>, Oops> {
    let dags: BTreeSet<&DagId> = running.iter().map(|run| &run.dag).collect();
    let mut usual = HashMap::new();
    for dag in dags.into_iter().filter(|dag| frame.sees(dag)) {
        if let Some(known) = Usual::of_runs(frame, dag).await? {
            usual.insert(dag.clone(), known);
        }
    }
    Ok(usual)
}

async fn health(frame: &Frame) -> Result<Vec<HealthLine>, Oops> {
    let holder = frame.web.store().holder().await?;
    let mut lines = vec![HealthLine {
        well: !holder.rest.is_zero(),
        says: if holder.rest.is_zero() {
            "no scheduler leads".to_owned()
        } else {
            format!("scheduler leads (term {})", holder.term)
        },
    }];
    match frame.web.door().fleet().await {
        Ok(fleet) => {
            let slots: u32 = fleet.workers.iter().map(|worker| worker.slots).sum();
            let used: u32 = fleet.workers.iter().map(|worker| worker.used).sum();
            let many = fleet.workers.len();
            let word = if many == 1 { "worker" } else { "workers" };
            lines.push(HealthLine {
                well: many > 0,
                says: format!("{many} {word}, {used} of {slots} slots"),
            });
            let waiting: usize = fleet.waiting.iter().map(|line| line.tasks).sum();
            lines.push(HealthLine {
                well: true,
                says: format!("queue {waiting}"),
            });
        }
        Err(error) => lines.push(HealthLine {
            well: false,
            says: error.to_string(),
        }),
    }
    lines.push(HealthLine {
        well: true,
        says: "database answers".to_owned(),
    });
    Ok(lines)
}

/// Messages differ in numbers and still mean the same.
pub(super) fn alike(message: &str) -> String {
    let mut out = String::new();
    for c in message.chars().take(300) {
        match c {
            c if c.is_ascii_digit() => {
                if !out.ends_with('#') {
                    out.push('#');
                }
            }
            c => out.push(c),
        }
    }
    out
}

fn causes(failures: impl Iterator<Item = Failure>) -> Vec<Cause> {
    let mut order: Vec<Cause> = Vec::new();
    let mut found: HashMap<(DagId, TaskId, String), (usize, tidemill_core::protocol::RunNo)> =
        HashMap::new();
    for failure in failures {
        let says = failure
            .message
            .as_deref()
            .unwrap_or("It failed without a message");
        let key = (failure.run.dag.clone(), failure.task.clone(), alike(says));
        if let Some((at, last)) = found.get_mut(&key) {
            let cause = &mut order[*at];
            cause.since = When(failure.since);
            cause.runs += usize::from(*last != failure.run.id);
            *last = failure.run.id;
            continue;
        }
        found.insert(key, (order.len(), failure.run.id));
        order.push(Cause {
            says: says.lines().next().unwrap_or_default().to_owned(),
            href: paths::task(
                &failure.run.dag,
                &failure.run.name,
                failure.task.as_str(),
                failure.of.map_index,
            ),
            alike: {
                let task = paths::task(
                    &failure.run.dag,
                    &failure.run.name,
                    failure.task.as_str(),
                    NOT_MAPPED,
                );
                match failure.of.map_index {
                    NOT_MAPPED => format!("{task}/alike"),
                    index => format!("{task}/alike?index={index}"),
                }
            },
            dag: failure.run.dag,
            task: failure.task,
            runs: 1,
            since: When(failure.since),
        });
    }
    order
}

#[cfg(test)]
mod tests {
    use super::alike;

    #[test]
    fn numbers_do_not_make_another_cause() {
        assert_eq!(
            alike("clash in 1 of 412 files"),
            alike("clash in 37 of 9 files")
        );
        assert_ne!(alike("no file"), alike("no table"));
    }
}
