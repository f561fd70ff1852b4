//! A database, and schedulers that lead on it one after the other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use tempfile::TempDir;
use tidemill_core::author::Dag;
use tidemill_core::id::DagId;
use tidemill_core::operator::{Operator, Outcome, TaskContext, TaskResult};
use tidemill_core::protocol::RunNo;
use tidemill_core::time::Timestamp;
use tidemill_scheduler::engine::{Changed, Command, Config, Trigger};
use tidemill_scheduler::lead::{Bring, Ended, Process, Settings, ToLead};
use tidemill_scheduler::relay::{Log, Sinks};
use tidemill_store::{Options, Store};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

const NOW: Timestamp = Timestamp::from_micros(1_735_689_600_000_000);

#[derive(Debug, Serialize, Deserialize)]
struct Work {}

impl Operator for Work {
    const NAME: &'static str = "tests.work";
    type Output = u64;

    async fn run(&self, _: &TaskContext) -> TaskResult<Outcome<u64>> {
        Ok(Outcome::Done(7))
    }
}

pub(crate) fn dag_id() -> DagId {
    DagId::parse("crm").expect("it is a name")
}

pub(crate) struct House {
    store: Store,
    _folder: TempDir,
    process: Process,
    running: JoinHandle<Result<(), Ended>>,
    stop: watch::Sender<bool>,
}

fn start(store: &Store) -> (Process, JoinHandle<Result<(), Ended>>, watch::Sender<bool>) {
    let settings = Settings {
        holder: "http://127.0.0.1:1".to_owned(),
        lead_lease: Duration::from_secs(3600),
        commit_within: Settings::COMMIT_WITHIN,
        engine: Config::default(),
        wall: || NOW,
        sinks: Sinks::new(Arc::new(Log)),
    };
    let (stop, stops) = watch::channel(false);
    let (process, running) = Process::start(store.clone(), settings, stops);
    (process, running, stop)
}

impl House {
    /// A scheduler that leads and knows a DAG of one task.
    pub(crate) async fn open() -> Self {
        let folder = tempfile::tempdir().expect("it works");
        let url = format!("sqlite://{}", folder.path().join("t.db").display());
        let store = Store::open(&url, Options::default())
            .await
            .expect("it works");
        let (process, running, stop) = start(&store);
        let house = Self {
            store,
            _folder: folder,
            process,
            running,
            stop,
        };
        let to = house.process.leading().await.expect("it leads");
        let dag = Dag::build("crm", |dag| {
            dag.add("work", Work {});
        });
        let (done, durable) = oneshot::channel();
        let bring = Bring {
            specs: vec![Arc::new(dag.spec().clone())],
            pools: BTreeMap::new(),
            by: "ada".into(),
            done: Some(done),
        };
        to.send(ToLead::Bring(bring)).await.expect("it listens");
        durable.await.expect("it is stored");
        house
    }

    /// The scheduler goes, and another one takes over: it has nothing at hand that has ended.
    pub(crate) async fn change_leaders(&mut self) {
        self.stop.send_replace(true);
        let ended = (&mut self.running).await;
        ended.expect("it ends").expect("it ends in order");
        (self.process, self.running, self.stop) = start(&self.store);
        self.process.leading().await.expect("it leads");
    }

    pub(crate) async fn ask(&self, command: Command, dry_run: bool) -> Changed {
        let answer = self.process.ask("ada", None, dry_run, command).await;
        answer.expect("it leads").expect("it is done")
    }

    /// Runs that were cancelled, by number.
    pub(crate) async fn cancelled(&self, runs: usize) -> Vec<RunNo> {
        let mut made = Vec::new();
        for _ in 0..runs {
            let trigger = Trigger {
                dag: dag_id(),
                name: None,
                covers: None,
                params: json!({}),
                version: None,
                note: None,
            };
            let changed = self.ask(Command::Trigger(trigger), false).await;
            let run = changed.runs_made[0].0;
            let cancel = Command::CancelRun { run, note: None };
            self.ask(cancel, false).await;
            made.push(run);
        }
        made
    }
}
