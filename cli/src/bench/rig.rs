//! What a bench runs on: a scheduler in this process, and workers here or in processes of their own.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use tidemill_core::id::DagId;
use tidemill_scheduler::engine::{Command as Ask, Trigger};
use tidemill_scheduler::lead::{Bring, ToLead};
use tidemill_store::{Options, Store};
use tidemill_worker::isolate::Program;
use tidemill_worker::{Connect, Worker};
use tokio::runtime::Runtime;
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, sleep};

use super::work::Scene;
use super::{BenchArgs, IsolationArg};
use crate::config::flags::GivenFlags;
use crate::config::{Environment, Loaded};
use crate::output::{INVALID, Output, USAGE};
use crate::serve::{self, Local};

/// How long workers may take to come.
const COME_WITHIN: Duration = Duration::from_secs(30);

/// What a bench runs on.
pub(super) struct Rig {
    pub(super) own: Runtime,
    pub(super) scheduler: Option<serve::Scheduler>,
    pub(super) store: Store,
    pub(super) scene: Scene,
    workers: Vec<Child>,
    here: Option<(Worker, watch::Sender<bool>, Runtime)>,
    folder: PathBuf,
}

fn failed(error: impl std::fmt::Display) -> Output {
    Output::failed(error, INVALID)
}

/// Settings of a bench: everything in a folder of its own.
pub(super) fn settings(args: &BenchArgs, folder: &std::path::Path) -> Result<Loaded, Output> {
    let mut flags = GivenFlags::default();
    let mut set = |key: &'static str, value: String| {
        flags.values.insert(key, vec![value]);
    };
    set("data_dir", folder.display().to_string());
    set("listen", "127.0.0.1:0".to_owned());
    set("default_pool_slots", "1000000".to_owned());
    set("slots", args.slots.to_string());
    set("grace", "1s".to_owned());
    set("log_level", "error".to_owned());
    if let Some(database) = &args.database {
        set("database", database.clone());
    }
    let loaded = flags.load(&Environment::default());
    loaded.map_err(|errors| {
        let all: Vec<String> = errors.iter().map(ToString::to_string).collect();
        Output::failed(all.join("\n"), USAGE)
    })
}

/// A folder for this bench alone.
pub(super) fn folder(tag: &str) -> Result<PathBuf, Output> {
    let folder = std::env::temp_dir().join(format!("tidemill-bench-{tag}"));
    std::fs::create_dir_all(&folder).map_err(failed)?;
    Ok(folder)
}

impl Rig {
    /// Starts everything, and waits until all workers are there.
    pub(super) fn start(args: &BenchArgs, scene: Scene) -> Result<Self, Output> {
        let folder = folder(&scene.tag)?;
        let loaded = settings(args, &folder)?;
        let own = serve::runtime("tidemill")?;
        let scheduler = own.block_on(async {
            let scheduler = serve::serve(&loaded, &Environment::default()).await?;
            let leading = scheduler.process.leading().await;
            leading.map_err(|_| failed("the scheduler did not come to lead"))?;
            Ok::<_, Output>(scheduler)
        })?;
        let url = loaded.settings.database.url();
        let store = own
            .block_on(Store::open(url, Options::default()))
            .map_err(failed)?;
        let mut rig = Self {
            own,
            scheduler: Some(scheduler),
            store,
            scene,
            workers: Vec::new(),
            here: None,
            folder,
        };
        let project = serve::project(&rig.scene.dags(), &Environment::default());
        rig.own.block_on(rig.bring(&project))?;
        if args.workers == 0 {
            rig.work_here(&loaded, project)?;
        } else {
            rig.work_apart(args, &loaded)?;
        }
        let wanted = (args.workers as usize).max(1);
        rig.own.block_on(rig.await_workers(wanted))?;
        Ok(rig)
    }

    async fn bring(&self, project: &serve::Held) -> Result<(), Output> {
        let (done, durable) = oneshot::channel();
        let bring = Bring {
            specs: project.specs.clone(),
            pools: project.pools.clone(),
            by: "bench".into(),
            done: Some(done),
        };
        self.tell(ToLead::Bring(bring)).await?;
        durable.await.map_err(failed)
    }

    fn work_here(&mut self, loaded: &Loaded, project: serve::Held) -> Result<(), Output> {
        let tasks = serve::runtime("tidemill-tasks")?;
        let gate = self.scheduler()?.gate.clone();
        let connect: Arc<dyn Connect> = Arc::new(Local::new(gate, self.own.handle().clone()));
        let (stop, stops) = watch::channel(false);
        let config = serve::worker_config(&loaded.settings, program(&self.scene));
        let worker = Worker::start(
            config,
            project.holds,
            connect,
            tasks.handle().clone(),
            stops,
        );
        self.here = Some((worker.map_err(failed)?, stop, tasks));
        Ok(())
    }

    fn work_apart(&mut self, args: &BenchArgs, loaded: &Loaded) -> Result<(), Output> {
        let address = self.scheduler()?.address;
        let token = serve::token::find(loaded).map_err(failed)?;
        let token_file = self.folder.join("worker-token");
        std::fs::write(&token_file, token).map_err(failed)?;
        let scene = serde_json::to_string(&self.scene).map_err(failed)?;
        let program = std::env::current_exe().map_err(failed)?;
        for nth in 0..args.workers {
            let child = Command::new(&program)
                .args(["bench", "worker", "--scene", &scene])
                .args(["--server", &serve::reached_at(&loaded.settings, address)])
                .arg("--token-file")
                .arg(&token_file)
                .args(["--slots", &args.slots.to_string()])
                .args(["--worker-name", &format!("bench-{nth}")])
                .args(["--log-level", "error"])
                .stdin(Stdio::null())
                .spawn();
            self.workers.push(child.map_err(failed)?);
        }
        Ok(())
    }

    async fn await_workers(&self, wanted: usize) -> Result<(), Output> {
        let late = Instant::now() + COME_WITHIN;
        loop {
            let there = self.look(|engine| engine.fleet().workers.len()).await?;
            if there >= wanted {
                return Ok(());
            }
            if Instant::now() > late {
                return Err(failed(format_args!("{there} of {wanted} workers came")));
            }
            sleep(Duration::from_millis(5)).await;
        }
    }

    fn scheduler(&self) -> Result<&serve::Scheduler, Output> {
        self.scheduler
            .as_ref()
            .ok_or_else(|| failed("the scheduler is gone"))
    }

    async fn tell(&self, what: ToLead) -> Result<(), Output> {
        let inbox = self.scheduler()?.process.inbox().map_err(failed)?;
        inbox.send(what).await.map_err(failed)
    }

    pub(super) async fn look<T: Send + 'static>(
        &self,
        at: impl FnOnce(&tidemill_scheduler::engine::Engine) -> T + Send + 'static,
    ) -> Result<T, Output> {
        self.scheduler()?.process.look(at).await.map_err(failed)
    }

    /// Triggers this many runs at once, and waits until all are done and that is durable.
    pub(super) async fn run(&self, dag: &str, runs: u32) -> Result<Ran, Output> {
        let began = Instant::now();
        let made = self.trigger(dag, runs).await?;
        while self.look(|engine| engine.open_runs()).await? > 0 {
            sleep(Duration::from_millis(3)).await;
        }
        self.durable().await?;
        Ok(Ran {
            took: began.elapsed(),
            runs: made,
        })
    }

    /// Triggers this many runs at once.
    pub(super) async fn trigger(
        &self,
        dag: &str,
        runs: u32,
    ) -> Result<Vec<tidemill_core::protocol::RunNo>, Output> {
        let id = DagId::parse(dag).map_err(failed)?;
        let mut asking = Vec::new();
        for _ in 0..runs {
            let process = self.scheduler()?.process.clone();
            let trigger = Trigger {
                dag: id.clone(),
                name: None,
                covers: None,
                params: serde_json::Value::Null,
                version: None,
                note: None,
            };
            asking.push(tokio::spawn(async move {
                process
                    .ask("bench", None, false, Ask::Trigger(trigger))
                    .await
            }));
        }
        let mut made = Vec::new();
        for asked in asking {
            let answer = asked.await.map_err(failed)?.map_err(failed)?;
            let changed = answer.map_err(failed)?;
            made.extend(changed.runs_made.into_iter().map(|(run, _)| run));
        }
        Ok(made)
    }

    /// Waits until everything that is decided by now is durable.
    pub(super) async fn durable(&self) -> Result<(), Output> {
        let (done, durable) = oneshot::channel();
        let bring = Bring {
            done: Some(done),
            ..Bring::default()
        };
        self.tell(ToLead::Bring(bring)).await?;
        durable.await.map_err(failed)
    }

    /// The memory of this process and its workers, in megabytes.
    pub(super) fn memory(&self) -> f64 {
        let children = self
            .workers
            .iter()
            .map(|child| memory_of(&child.id().to_string()));
        memory_of("self") + children.sum::<f64>()
    }

    /// The ids of the workers' processes.
    pub(super) fn workers(&self) -> Vec<u32> {
        self.workers.iter().map(Child::id).collect()
    }

    /// Ends everything and removes the folder.
    pub(super) fn end(mut self) {
        if let Some((worker, stop, tasks)) = self.here.take() {
            stop.send_replace(true);
            let _ = worker.join();
            tasks.shutdown_background();
        }
        for child in &mut self.workers {
            let _ = child.kill();
            let _ = child.wait();
        }
        if let Some(scheduler) = self.scheduler.take() {
            self.own.block_on(scheduler.end());
        }
        self.own.block_on(self.store.close());
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// What a worker of a bench starts for a task that has a process of its own.
pub(super) fn program(scene: &Scene) -> Option<Program> {
    let scene = serde_json::to_string(scene).ok()?;
    let program = serve::attempt::program("bench", &Environment::of_process())?;
    let args = ["bench", "attempt", "--scene", &scene];
    Some(Program {
        args: args.into_iter().map(Into::into).collect(),
        ..program
    })
}

/// What a run of a bench was.
pub(super) struct Ran {
    pub(super) took: Duration,
    pub(super) runs: Vec<tidemill_core::protocol::RunNo>,
}

/// The resident memory of a process, in megabytes.
pub(super) fn memory_of(process: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| {
        line.trim()
            .trim_end_matches(" kB")
            .trim()
            .parse::<f64>()
            .ok()
    });
    kib.unwrap_or(0.0) / 1024.0
}

/// How much time a process has used so far.
pub(super) fn cpu_of(process: &str) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The name may have spaces in it; what follows the last bracket has not.
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    let ticks = |at: usize| {
        fields
            .get(at)
            .and_then(|field| field.parse::<u64>().ok())
            .unwrap_or(0)
    };
    // The kernel counts in hundredths of a second.
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}

impl IsolationArg {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Inline => "inline",
            Self::Process => "process",
        }
    }
}
