//! Scheduler, worker and database of one test.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tidemill_core::author::Project as Authored;
use tidemill_core::protocol::RunNo;
use tidemill_core::spec::DagSpec;
use tidemill_scheduler::engine::{Changed, Command, Refusal};
use tidemill_store::{Options, Store};
use tidemill_worker::{Connect, Services, Worker};
use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::clock;
use crate::config::flags::GivenFlags;
use crate::config::{Environment, Loaded};
use crate::door;
use crate::output::{INVALID, OPEN, Output, USAGE};
use crate::remote::RunFull;
use crate::serve::{self, Held, Local};

/// Variables that a test takes from the environment; settings of a scheduler are none of them.
const TAKEN: [&str; 3] = ["TIDEMILL_CONN_", "TIDEMILL_VAR_", "TIDEMILL_SECRETS_"];

/// Scheduler, worker and database of one test.
pub(super) struct Rig {
    own: Runtime,
    scheduler: serve::Scheduler,
    store: Store,
    worker: Worker,
    stop_worker: watch::Sender<bool>,
    tasks: Runtime,
    told_to_stop: watch::Receiver<bool>,
    folder: PathBuf,
}

fn failed(error: impl std::fmt::Display) -> Output {
    Output::failed(error, INVALID)
}

fn settings(
    spec: &DagSpec,
    folder: &std::path::Path,
    taken: &Environment,
) -> Result<Loaded, Output> {
    let mut flags = GivenFlags::default();
    let mut set = |key: &'static str, value: String| {
        flags.values.insert(key, vec![value]);
    };
    set("data_dir", folder.display().to_string());
    set("listen", "127.0.0.1:0".to_owned());
    set("grace", "1s".to_owned());
    set("log_level", "error".to_owned());
    let tasks = spec.definition.tasks.iter();
    let queues: BTreeSet<&str> = tasks.map(|task| task.placement.queue.as_str()).collect();
    if !queues.is_empty() {
        set("queues", queues.into_iter().collect::<Vec<_>>().join(","));
    }
    let loaded = flags.load(taken);
    loaded.map_err(|errors| crate::config::ConfigError::output(&errors))
}

impl Rig {
    /// Starts everything.
    pub(super) fn start(
        spec: &Arc<DagSpec>,
        (project, services): (Authored, Services),
        environment: &Environment,
    ) -> Result<Self, Output> {
        let mark = clock::now().timestamp_micros();
        let name = format!("tidemill-test-{}-{mark}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).map_err(failed)?;
        let started = Self::start_in(folder.clone(), spec, (project, services), environment);
        if started.is_err() {
            // Nothing of it is of use.
            let _ = std::fs::remove_dir_all(&folder);
        }
        started
    }

    fn start_in(
        folder: PathBuf,
        spec: &Arc<DagSpec>,
        (project, services): (Authored, Services),
        environment: &Environment,
    ) -> Result<Self, Output> {
        let taken = TAKEN
            .iter()
            .flat_map(|prefix| environment.beginning(prefix));
        let taken = Environment::new(taken, environment.folder());
        let loaded = settings(spec, &folder, &taken)?;
        let own = serve::runtime("tidemill")?;
        let tasks = serve::runtime("tidemill-tasks")?;
        let told_to_stop = own.block_on(async { serve::stop_on_signals() });
        let told_to_stop = told_to_stop.map_err(failed)?;
        let scheduler = own.block_on(async {
            let scheduler = serve::serve(&loaded, &taken).await?;
            let leading = scheduler.process.leading().await;
            leading.map_err(|_| failed("the scheduler did not come to lead"))?;
            Ok::<_, Output>(scheduler)
        })?;
        let url = loaded.settings.database.url();
        let store = own.block_on(Store::open(url, Options::default()));
        let store = store.map_err(|error| door::failed(&error))?;
        let specs = vec![Arc::clone(spec)];
        let held = Held::new(specs, (&project.resources, project.registry), services);
        own.block_on(serve::deploy(&scheduler.process, &held))?;
        let (stop_worker, stops) = watch::channel(false);
        let gate = scheduler.gate.clone();
        let connect: Arc<dyn Connect> = Arc::new(Local::new(gate, own.handle().clone()));
        let program = serve::attempt::program(serve::attempt::COMMAND, environment);
        let worker = Worker::start(
            serve::worker_config(&loaded.settings, program),
            held.holds,
            connect,
            tasks.handle().clone(),
            stops,
        );
        Ok(Self {
            worker: worker.map_err(failed)?,
            own,
            scheduler,
            store,
            stop_worker,
            tasks,
            told_to_stop,
            folder,
        })
    }

    /// Asks the scheduler for something.
    pub(super) fn ask(&self, by: &str, command: Command) -> Result<Changed, Output> {
        let asked = self.scheduler.process.ask(by, None, false, command);
        match self.own.block_on(asked) {
            Ok(Ok(changed)) => Ok(changed),
            Ok(Err(refusal @ Refusal::Stale { .. })) => Err(failed(refusal)),
            Ok(Err(refusal)) => Err(Output::failed(refusal, USAGE)),
            Err(error) => Err(Output::failed(error, OPEN)),
        }
    }

    /// How far a run is.
    pub(super) fn read(&self, run: RunNo) -> Result<RunFull, Output> {
        let read = self.own.block_on(self.store.load_runs(&[run]));
        let read = read.map_err(|error| door::failed(&error))?;
        RunFull::of(read).ok_or_else(|| failed("the run is gone"))
    }

    /// Whether somebody wants it to end.
    pub(super) fn is_told_to_stop(&self) -> bool {
        *self.told_to_stop.borrow()
    }

    pub(super) fn rest(&self, span: Duration) {
        self.own.block_on(async { tokio::time::sleep(span).await });
    }

    /// Ends everything and removes the folder.
    pub(super) fn end(self) {
        self.stop_worker.send_replace(true);
        let _ = self.worker.join();
        self.own.block_on(self.scheduler.end());
        self.own.block_on(self.store.close());
        self.tasks.shutdown_background();
        self.own.shutdown_background();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
