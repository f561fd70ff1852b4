//! What only the scheduler that leads can say: what holds a task, who works, what an attempt wrote. It is asked itself, or
//! through a web server.

use tidemill_core::operator::Level;
use tidemill_core::protocol::{AttemptNo, NOT_MAPPED};
use tidemill_core::state::TaskState;
use tidemill_logs::Page;
use tidemill_scheduler::engine::{Fleet, Held, PoolView, Why};
use tidemill_store::record::TaskRow;
use tidemill_web::api::views::{FleetView, LogView, PoolView as Pool, WhyView};

use super::reads::{Reads, part};
use super::{Remote, RunFull};
use crate::output::Output;

/// How long the scheduler waits for the next line before it answers without one.
const WAIT_SECONDS: u32 = 20;

/// Which lines of a log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lines<'a> {
    /// Of which attempt: its number within the task, and over all.
    pub(crate) attempt: (u32, AttemptNo),
    /// The position of the first.
    pub(crate) from: u64,
    /// How many.
    pub(crate) lines: usize,
    /// Of this level and above.
    pub(crate) level: Option<&'a str>,
    /// Whether to wait for them.
    pub(crate) wait: bool,
}

/// The word for a level.
pub(crate) const fn word(level: Level) -> &'static str {
    match level {
        Level::Debug => "debug",
        Level::Info => "info",
        Level::Warn => "warn",
        Level::Error => "error",
    }
}

impl Remote {
    /// Why a task, or a run as a whole, does not go on. None if the scheduler does not hold it any more.
    pub(crate) fn why(
        &self,
        full: &RunFull,
        task: Option<&TaskRow>,
    ) -> Result<Option<Why>, Output> {
        let of_run = |gates: Vec<Held>| Why {
            state: TaskState::None,
            gates,
            ahead: 0,
        };
        match (&self.reads, task) {
            (Reads::Web(web), task) => {
                let mut path = web.run_path(full.run.id)?;
                if let Some(task) = task {
                    path = format!("{path}/tasks/{}", task.name);
                }
                path.push_str("/why");
                if let Some(index) = task.map(|task| task.of.map_index)
                    && index != NOT_MAPPED
                {
                    path.push_str(&format!("?index={index}"));
                }
                let told: Option<WhyView> = self.look(&path)?;
                Ok(told.and_then(WhyView::why))
            }
            (Reads::Store(_), Some(task)) => {
                let (of, index) = (task.of.task, task.of.map_index);
                let path = format!("/api/v1/why?run={}&task={of}&index={index}", full.run.id);
                self.look(&path)
            }
            (Reads::Store(_), None) => {
                let path = format!("/api/v1/why?run={}", full.run.id);
                Ok(self.look::<Vec<Held>>(&path)?.map(of_run))
            }
        }
    }

    /// The workers, and what waits for them.
    pub(crate) fn fleet(&self) -> Result<Option<Fleet>, Output> {
        match &self.reads {
            Reads::Web(_) => {
                let told: Option<FleetView> = self.look("/api/v1/workers")?;
                Ok(told.map(FleetView::fleet))
            }
            Reads::Store(_) => self.look("/api/v1/fleet"),
        }
    }

    /// The pools, as the scheduler knows them. None if a web server says that nobody leads.
    pub(crate) fn pools(&self) -> Result<Option<Vec<PoolView>>, Output> {
        match &self.reads {
            Reads::Web(_) => {
                let all = self.read(self.reads.pool_views())?;
                let known = all.iter().all(|pool| pool.waiting.is_some());
                Ok(known.then(|| all.into_iter().map(Pool::pool).collect()))
            }
            Reads::Store(_) => self.look("/api/v1/pools"),
        }
    }

    /// A part of the log of an attempt.
    pub(crate) fn lines(
        &self,
        full: &RunFull,
        task: &TaskRow,
        wanted: Lines<'_>,
    ) -> Result<Option<Page>, Output> {
        let (number, AttemptNo(attempt)) = wanted.attempt;
        let index = task.of.map_index;
        let mut rest = format!("from={}&lines={}", wanted.from, wanted.lines);
        if let Some(level) = wanted.level {
            rest.push_str(&format!("&level={level}"));
        }
        match &self.reads {
            Reads::Web(web) => {
                if index != NOT_MAPPED {
                    rest.push_str(&format!("&index={index}"));
                }
                if wanted.wait {
                    rest.push_str(&format!("&wait={WAIT_SECONDS}s"));
                }
                let run = web.run_path(full.run.id)?;
                let path = format!("{run}/tasks/{}/log?attempt={number}&{rest}", task.name);
                let told: Option<LogView> = self.look(&path)?;
                Ok(told.map(LogView::page))
            }
            Reads::Store(_) => {
                if wanted.wait {
                    rest.push_str(&format!("&wait={WAIT_SECONDS}"));
                }
                let (dag, run, task) = (&full.run.dag, part(&full.run.name), &task.name);
                let no = full.run.id;
                self.look(&format!(
                    "/api/v1/logs?dag={dag}&run={run}&run_no={no}&task={task}&index={index}&number={number}&attempt={attempt}&{rest}"
                ))
            }
        }
    }
}
