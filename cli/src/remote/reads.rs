//! What commands read. Whoever works beside the database reads it there; whoever has a user's token only, and the address of a
//! web server, reads by its API. Both give the same rows.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use serde::de::DeserializeOwned;
use tidemill_core::id::{DagId, TaskId};
use tidemill_core::protocol::{InstanceRef, NOT_MAPPED, RunNo};
use tidemill_core::spec::DagSpec;
use tidemill_core::version::Version;
use tidemill_scheduler::engine::PoolView as Pool;
use tidemill_store::Store;
use tidemill_store::history::{Cursor, RunFilter};
use tidemill_store::record::{
    BackfillDateRow, BackfillRow, DagRow, PoolRow, Recovered, RunRow, VersionRow,
};
use tidemill_web::api::views::{
    AttemptView, BackfillView, DagView, DateView, Items, PoolView, RunView, TaskView, VersionView,
};

use super::Leader;
use crate::door;
use crate::output::{Output, UNREACHABLE};

/// How many rows are read at once.
const ROWS: u32 = 1_000;

/// Where is read.
pub(crate) enum Reads {
    /// In the database.
    Store(Store),
    /// By a web server.
    Web(Box<Web>),
}

/// A web server. Its API knows runs by their DAG and name, so those that came up are kept in mind.
pub(crate) struct Web {
    leader: Leader,
    runs: Mutex<BTreeMap<RunNo, (DagId, Arc<str>)>>,
}

/// Text within a path or a query.
pub(super) fn part(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

impl Web {
    pub(crate) fn new(leader: Leader) -> Self {
        Self {
            leader,
            runs: Mutex::default(),
        }
    }

    pub(crate) const fn leader(&self) -> &Leader {
        &self.leader
    }

    pub(crate) fn keep(&self, no: RunNo, dag: &DagId, name: &Arc<str>) {
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        runs.insert(no, (dag.clone(), Arc::clone(name)));
    }

    fn kept(&self, run: RunRow) -> RunRow {
        self.keep(run.id, &run.dag, &run.name);
        run
    }

    /// The address of a run that came up.
    pub(super) fn run_path(&self, no: RunNo) -> Result<String, Output> {
        let runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        let (dag, name) = runs.get(&no).ok_or_else(|| {
            Output::usage(
                format_args!("a web server knows run {no} by its DAG only"),
                "name both",
            )
        })?;
        Ok(format!("/api/v1/dags/{dag}/runs/{}", part(name)))
    }

    pub(super) async fn look<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, Output> {
        self.leader.look(path).await
    }

    async fn one<T: DeserializeOwned>(&self, path: &str) -> Result<T, Output> {
        let found = self.look(path).await?;
        found.ok_or_else(|| Output::failed(format_args!("there is no {path}"), UNREACHABLE))
    }

    /// All rows of a list, at the most so many.
    pub(super) async fn list<T: DeserializeOwned>(
        &self,
        path: &str,
        most: usize,
    ) -> Result<Vec<T>, Output> {
        let joint = if path.contains('?') { '&' } else { '?' };
        let rows = most.min(ROWS as usize).max(1);
        let first = format!("{path}{joint}limit={rows}");
        let (mut all, mut next) = (Vec::new(), Some(first.clone()));
        while let Some(at) = next.filter(|_| all.len() < most) {
            let page: Items<T> = self.one(&at).await?;
            all.extend(page.items);
            next = page.next.map(|cursor| format!("{first}&cursor={cursor}"));
        }
        all.truncate(most);
        Ok(all)
    }

    async fn runs(&self, of: &RunFilter, most: u32) -> Result<Vec<RunRow>, Output> {
        let mut path = match &of.dag {
            Some(dag) => format!("/api/v1/dags/{dag}/runs?"),
            None => "/api/v1/runs?".to_owned(),
        };
        let mut add = |name: &str, value: &str| {
            let _ = write!(path, "{name}={}&", part(value));
        };
        if let Some(state) = of.state {
            add("state", state.word());
        }
        if let Some(kind) = of.kind {
            add("kind", kind.word());
        }
        if let Some(name) = &of.name {
            add("name", name);
        }
        let ever = RunFilter::default().start;
        if of.start.start != ever.start {
            add("from", &of.start.start.to_string());
        }
        if of.start.end != ever.end {
            add("to", &of.start.end.to_string());
        }
        let all: Vec<RunView> = self
            .list(path.trim_end_matches(['&', '?']), most as usize)
            .await?;
        Ok(all.into_iter().map(|run| self.kept(run.row())).collect())
    }

    async fn full(&self, no: RunNo) -> Result<Recovered, Output> {
        let path = self.run_path(no)?;
        let Some(run) = self.look::<RunView>(&path).await? else {
            return Ok(Recovered::default());
        };
        let tasks = format!("{path}/tasks?instances=true");
        let tasks: Vec<TaskView> = self.list(&tasks, usize::MAX).await?;
        let (tasks, task_details) = tasks.into_iter().map(TaskView::rows).unzip();
        let run = run.row();
        let spec = self.spec(&run.dag, Some(&run.version)).await?;
        let version = spec.map(|spec| VersionRow {
            dag: run.dag.clone(),
            version: run.version.clone(),
            spec,
            deployed_at: run.created_at,
        });
        Ok(Recovered {
            versions: version.into_iter().collect(),
            runs: vec![run],
            tasks,
            task_details,
            ..Recovered::default()
        })
    }

    async fn spec(
        &self,
        dag: &DagId,
        version: Option<&Version>,
    ) -> Result<Option<Arc<DagSpec>>, Output> {
        let query = version.map_or_else(String::new, |version| format!("?version={version}"));
        let path = format!("/api/v1/dags/{dag}/definition{query}");
        self.look(&path).await
    }
}

pub(super) fn failed<T>(read: Result<T, tidemill_store::StoreError>) -> Result<T, Output> {
    read.map_err(|error| door::failed(&error))
}

impl Reads {
    /// All DAGs by name.
    pub(crate) async fn dags(&self) -> Result<Vec<DagRow>, Output> {
        match self {
            Self::Store(store) => failed(store.dags().await),
            Self::Web(web) => {
                let all: Vec<DagView> = web.list("/api/v1/dags", usize::MAX).await?;
                Ok(all.into_iter().map(DagView::row).collect())
            }
        }
    }

    /// A DAG, also one that was removed.
    pub(crate) async fn dag(&self, name: &str) -> Result<Option<DagRow>, Output> {
        match self {
            Self::Store(store) => {
                let all = failed(store.dags().await)?;
                Ok(all.into_iter().find(|row| row.id.as_str() == name))
            }
            Self::Web(web) => {
                let path = format!("/api/v1/dags/{}", part(name));
                let found: Option<DagView> = web.look(&path).await?;
                Ok(found.map(DagView::row))
            }
        }
    }

    /// What a DAG is in a version; in its newest if none is named.
    pub(crate) async fn spec(
        &self,
        dag: &DagId,
        version: Option<&Version>,
    ) -> Result<Option<Arc<DagSpec>>, Output> {
        match self {
            Self::Store(store) => {
                let all = failed(store.versions(dag).await)?;
                let mut all = all.into_iter();
                let found = match version {
                    Some(version) => all.find(|row| row.version == *version),
                    None => all.next(),
                };
                Ok(found.map(|row| row.spec))
            }
            Self::Web(web) => web.spec(dag, version).await,
        }
    }

    /// The versions of a DAG, the newest first.
    pub(crate) async fn versions(&self, dag: &DagId) -> Result<Vec<Version>, Output> {
        match self {
            Self::Store(store) => {
                let all = failed(store.versions(dag).await)?;
                Ok(all.into_iter().map(|row| row.version).collect())
            }
            Self::Web(web) => {
                let path = format!("/api/v1/dags/{dag}/versions");
                let all: Vec<VersionView> = web.list(&path, usize::MAX).await?;
                Ok(all.into_iter().map(|row| row.version).collect())
            }
        }
    }

    /// A run by its name. A web server also takes its number, and `latest`.
    pub(crate) async fn run_named(
        &self,
        dag: &DagId,
        name: &str,
    ) -> Result<Option<RunRow>, Output> {
        match self {
            Self::Store(store) => failed(store.run_named(dag, name).await),
            Self::Web(web) => {
                let path = format!("/api/v1/dags/{dag}/runs/{}", part(name));
                let found: Option<RunView> = web.look(&path).await?;
                Ok(found.map(|run| web.kept(run.row())))
            }
        }
    }

    /// A run with its tasks, by its number.
    pub(crate) async fn full(&self, no: RunNo) -> Result<Recovered, Output> {
        match self {
            Self::Store(store) => failed(store.load_runs(&[no]).await),
            Self::Web(web) => web.full(no).await,
        }
    }

    /// The newest runs that a filter finds.
    pub(crate) async fn runs(&self, of: &RunFilter, most: u32) -> Result<Vec<RunRow>, Output> {
        match self {
            Self::Store(store) => failed(store.runs(of, Cursor::START, most).await),
            Self::Web(web) => web.runs(of, most).await,
        }
    }

    /// The attempts of a task that are over, the last first.
    pub(crate) async fn attempts(
        &self,
        of: InstanceRef,
        task: &TaskId,
    ) -> Result<Vec<AttemptView>, Output> {
        match self {
            Self::Store(store) => {
                let all = failed(store.attempts(of).await)?;
                Ok(all.iter().map(Into::into).collect())
            }
            Self::Web(web) => {
                let path = web.run_path(of.run)?;
                let mut path = format!("{path}/tasks/{task}/attempts");
                if of.map_index != NOT_MAPPED {
                    let _ = write!(path, "?index={}", of.map_index);
                }
                let all: Items<AttemptView> = web.one(&path).await?;
                let over = all.items.into_iter().filter(|one| one.end.is_some());
                Ok(over.collect())
            }
        }
    }

    /// The newest backfills.
    pub(crate) async fn backfills(
        &self,
        dag: Option<&DagId>,
        most: u32,
    ) -> Result<Vec<BackfillRow>, Output> {
        match self {
            Self::Store(store) => failed(
                store
                    .backfills(dag.map(std::slice::from_ref), i64::MAX, most)
                    .await,
            ),
            Self::Web(web) => {
                let path = match dag {
                    Some(dag) => format!("/api/v1/dags/{dag}/backfills"),
                    None => "/api/v1/backfills".to_owned(),
                };
                let all: Vec<BackfillView> = web.list(&path, most as usize).await?;
                Ok(all.into_iter().filter_map(BackfillView::row).collect())
            }
        }
    }

    /// A backfill by its number.
    pub(crate) async fn backfill(&self, no: i64) -> Result<Option<BackfillRow>, Output> {
        let found = match self {
            Self::Store(store) => failed(store.backfills(None, no.saturating_add(1), 1).await)?,
            Self::Web(web) => {
                let path = format!("/api/v1/backfills?no={no}");
                let all: Vec<BackfillView> = web.list(&path, 1).await?;
                all.into_iter().filter_map(BackfillView::row).collect()
            }
        };
        Ok(found.into_iter().find(|row| row.id == no))
    }

    /// The dates of a backfill.
    pub(crate) async fn dates(&self, of: &BackfillRow) -> Result<Vec<BackfillDateRow>, Output> {
        match self {
            Self::Store(store) => {
                let mut all: Vec<BackfillDateRow> = Vec::new();
                loop {
                    let after = all.last().map_or(-1, |date| i64::from(date.nth));
                    let page = failed(store.backfill_dates(of.id, after, ROWS).await)?;
                    if page.is_empty() {
                        return Ok(all);
                    }
                    all.extend(page);
                }
            }
            Self::Web(web) => {
                let path = format!("/api/v1/dags/{}/backfills/{}/dates", of.dag, of.id);
                let all: Vec<DateView> = web.list(&path, usize::MAX).await?;
                Ok(all.into_iter().map(|date| date.row(of.id)).collect())
            }
        }
    }

    /// The pools that were set.
    pub(crate) async fn pools(&self) -> Result<Vec<PoolRow>, Output> {
        match self {
            Self::Store(store) => failed(store.pools().await),
            Self::Web(_) => {
                let all = self.pool_views().await?;
                Ok(all.into_iter().map(PoolView::row).collect())
            }
        }
    }

    /// The pools as a web server tells of them; none where the database is read.
    pub(crate) async fn pool_views(&self) -> Result<Vec<PoolView>, Output> {
        match self {
            Self::Store(_) => Ok(Vec::new()),
            Self::Web(web) => web.list("/api/v1/pools", usize::MAX).await,
        }
    }
}

/// A pool as it was set: what is taken is not known.
pub(crate) fn unasked(pool: PoolRow) -> Pool {
    Pool {
        name: pool.name,
        slots: pool.slots,
        used: None,
        holds_deferred: pool.holds_deferred,
        paused: pool.paused,
        edits: pool.edits,
        note: pool.note,
        holders: Vec::new(),
        waiting: 0,
    }
}
