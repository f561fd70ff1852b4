//! The processes that stay: `standalone`, `scheduler`, `worker`, `web`.

mod about;
pub(crate) mod attempt;
mod local;
pub(crate) mod machine;
mod parts;
mod remote_door;
mod sandbox;
mod sign_in;
mod signals;
mod talk;
pub(crate) mod token;
mod web;

use std::sync::Arc;

use clap::Args;
use ring::rand::SystemRandom;
use tidemill_core::author::Dags;
use tidemill_scheduler::gateway::{Gate, Vault};
use tidemill_scheduler::lead::{Bring, Process, ToLead};
use tidemill_store::{Schema, Store};
use tidemill_web::LocalDoor;
use tidemill_worker::{Connect, Ended, Worker};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::{oneshot, watch};
use tracing::{error, info, warn};

use crate::config::flags::{OfSandbox, OfScheduler, OfStandalone, OfWeb, OfWorker};
use crate::config::{Environment, Flags, Loaded, Origin};
use crate::door;
use crate::keys;
use crate::output::{INVALID, Output, UNREACHABLE, USAGE};
use crate::remote::leader::Leader;
use crate::sandbox::SandboxCommand;
use crate::tls;

use remote_door::RemoteDoor;
use web::Behind;

pub(crate) use local::Local;
pub(crate) use parts::{
    Held, keys, project, reached_at, remote, scheduler_settings, secrets, worker_config,
};
pub(crate) use signals::stop_on_signals;

#[derive(Debug, Args)]
pub(crate) struct StandaloneArgs {
    #[command(flatten)]
    settings: Flags<OfStandalone>,
    /// Run the sandbox in this process, too: Google Cloud and Databricks on this machine.
    #[arg(long)]
    sandbox: bool,
    #[command(flatten)]
    crash: CrashArgs,
}

#[derive(Debug, Args)]
pub(crate) struct SchedulerArgs {
    #[command(flatten)]
    settings: Flags<OfScheduler>,
    #[command(flatten)]
    crash: CrashArgs,
}

#[derive(Debug, Args)]
pub(crate) struct WorkerArgs {
    #[command(flatten)]
    settings: Flags<OfWorker>,
    #[command(flatten)]
    crash: CrashArgs,
}

#[derive(Debug, Args)]
pub(crate) struct WebArgs {
    #[command(flatten)]
    settings: Flags<OfWeb>,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct SandboxArgs {
    /// What to ask of a sandbox that runs; if nothing, one is started.
    #[command(subcommand)]
    pub(crate) command: Option<SandboxCommand>,
    #[command(flatten)]
    settings: Flags<OfSandbox>,
}

/// For tests only: where to die.
#[derive(Debug, Args)]
struct CrashArgs {
    #[cfg(feature = "crash-points")]
    #[arg(long, hide = true, value_name = "PLACE:NTH")]
    crash_at: Option<String>,
}

impl CrashArgs {
    #[cfg(feature = "crash-points")]
    fn arm(&self) -> Result<(), Output> {
        let Some(text) = &self.crash_at else {
            return Ok(());
        };
        let armed = tidemill_core::crash::arm(text, || std::process::abort());
        armed.map_err(|error| Output::failed(error, USAGE))
    }

    #[cfg(not(feature = "crash-points"))]
    const fn arm(&self) -> Result<(), Output> {
        Ok(())
    }
}

/// Scheduler and worker in one process.
pub(crate) fn standalone(args: &StandaloneArgs, dags: &Dags, environment: &Environment) -> Output {
    let loaded = match args.settings.load(environment) {
        Ok(loaded) => loaded,
        Err(output) => return output,
    };
    run(&loaded, |own, stop| {
        args.crash.arm()?;
        let made = keys::make(&loaded).map_err(|error| Output::failed(error, USAGE))?;
        if let Some(made) = made {
            warn!("{made}");
        }
        let project = Arc::new(project(dags, environment));
        let tasks = runtime("tidemill-tasks")?;
        if args.sandbox {
            own.block_on(sandbox::start(&loaded, stop.clone()))?;
        }
        let process = own.block_on(lead(&loaded, environment, stop.clone()))?;
        own.block_on(deploy(&process.process, &project))?;
        let connect: Arc<dyn Connect> =
            Arc::new(Local::new(process.gate.clone(), own.handle().clone()));
        let settings = &loaded.settings;
        let mut config = worker_config(settings, attempt::program(attempt::COMMAND, environment));
        if matches!(loaded.origin("queues"), Origin::Default) {
            // There is no other worker.
            config.queues.clone_from(&project.queues);
        }
        let (stop_worker, worker_stops) = watch::channel(false);
        let worker = Worker::start(
            config,
            Arc::clone(&project.holds),
            connect,
            tasks.handle().clone(),
            worker_stops,
        );
        let worker = worker.map_err(|error| Output::failed(error, INVALID))?;
        let behind = Behind {
            store: process.store.clone(),
            door: Arc::new(LocalDoor::new(process.gate.clone())),
            stops: process.stop.subscribe(),
            standalone: true,
        };
        own.block_on(web::start(&loaded, environment, behind))?;
        info!("ready: {}", reached_at(settings, process.address));
        own.block_on(stop.clone().wait_for_stop());
        // First what runs, while there is still somebody who takes the reports.
        stop_worker.send_replace(true);
        let ended = worker.join();
        own.block_on(process.end());
        tasks.shutdown_background();
        ended.map_err(|error| Output::failed(error, INVALID))
    })
}

/// A scheduler, which leads or stands by.
pub(crate) fn scheduler(args: &SchedulerArgs, environment: &Environment) -> Output {
    let loaded = match args.settings.load(environment) {
        Ok(loaded) => loaded,
        Err(output) => return output,
    };
    run(&loaded, |own, stop| {
        args.crash.arm()?;
        own.block_on(async {
            let mut process = serve(&loaded, environment).await?;
            info!(
                "listening: {}",
                reached_at(&loaded.settings, process.address)
            );
            tokio::select! {
                _ = stop.clone().wait_for_stop() => {}
                ended = &mut process.running => return parts::ended(ended),
            }
            process.end().await;
            Ok(())
        })
    })
}

/// The web UI, in a process without a scheduler.
pub(crate) fn web(args: &WebArgs, environment: &Environment) -> Output {
    let loaded = match args.settings.load(environment) {
        Ok(loaded) => loaded,
        Err(output) => return output,
    };
    run(&loaded, |own, stop| {
        own.block_on(async {
            let store = door::open(&loaded, Schema::Require).await?;
            let leader = Leader::new(loaded.clone(), Some(store.clone()))?;
            // Without a token no page that asks the scheduler would work: that shows now and not in a browser.
            token::find(&loaded).map_err(|error| Output::failed(error, USAGE))?;
            let behind = Behind {
                store: store.clone(),
                door: Arc::new(RemoteDoor::new(leader)),
                stops: stop.0.clone(),
                standalone: false,
            };
            let serving = web::start(&loaded, environment, behind).await?;
            stop.wait_for_stop().await;
            let _ = serving.await;
            store.close().await;
            Ok(())
        })
    })
}

/// The sandbox, in a process of its own.
pub(crate) fn sandbox(args: &SandboxArgs, environment: &Environment) -> Output {
    let loaded = match args.settings.load(environment) {
        Ok(loaded) => loaded,
        Err(output) => return output,
    };
    run(&loaded, |own, stop| {
        own.block_on(async {
            let serving = sandbox::start(&loaded, stop).await?;
            serving
                .await
                .map_err(|error| Output::failed(format_args!("the sandbox died: {error}"), INVALID))
        })
    })
}

/// A worker.
pub(crate) fn worker(args: &WorkerArgs, dags: &Dags, environment: &Environment) -> Output {
    let loaded = match args.settings.load(environment) {
        Ok(loaded) => loaded,
        Err(output) => return output,
    };
    run(&loaded, |own, stop| {
        args.crash.arm()?;
        let project = project(dags, environment);
        let remote = parts::remote(&loaded)?;
        let worker = Worker::start(
            worker_config(
                &loaded.settings,
                attempt::program(attempt::COMMAND, environment),
            ),
            project.holds,
            Arc::new(remote),
            own.handle().clone(),
            stop.0,
        );
        let worker = worker.map_err(|error| Output::failed(error, INVALID))?;
        match worker.join() {
            Ok(()) => Ok(()),
            Err(error @ (Ended::Refused(_) | Ended::Unconnected(_))) => {
                Err(Output::failed(error, USAGE))
            }
            Err(error) => Err(Output::failed(error, INVALID)),
        }
    })
}

/// Whether the process is to stop.
#[derive(Debug, Clone)]
pub(crate) struct Stop(pub(crate) watch::Receiver<bool>);

impl Stop {
    /// Done once it is.
    pub(crate) async fn wait_for_stop(mut self) {
        let _ = self.0.wait_for(|stop| *stop).await;
    }
}

/// Sets a process up that stays until it is told to stop.
fn run(loaded: &Loaded, what: impl FnOnce(&Runtime, Stop) -> Result<(), Output>) -> Output {
    talk::begin(&loaded.settings);
    for warning in &loaded.warnings {
        warn!("{warning}");
    }
    let own = match runtime("tidemill") {
        Ok(own) => own,
        Err(output) => return output,
    };
    let stop = own.block_on(async { stop_on_signals() });
    let stop = match stop {
        Ok(stop) => Stop(stop),
        Err(error) => return Output::failed(format_args!("no signals: {error}"), INVALID),
    };
    let ended = what(&own, stop);
    own.shutdown_background();
    match ended {
        Ok(()) => Output::default(),
        Err(output) => output,
    }
}

pub(crate) fn runtime(name: &str) -> Result<Runtime, Output> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .thread_name(name)
        .enable_all()
        .build();
    runtime.map_err(|error| Output::failed(format_args!("no threads: {error}"), INVALID))
}

/// A scheduler of this process, and its gate.
pub(crate) struct Scheduler {
    pub(crate) process: Process,
    pub(crate) gate: Gate,
    pub(crate) store: Store,
    pub(crate) address: std::net::SocketAddr,
    pub(crate) running: tokio::task::JoinHandle<Result<(), tidemill_scheduler::lead::Ended>>,
    stop: watch::Sender<bool>,
}

impl Scheduler {
    /// Ends it in order: the lead is given up.
    pub(crate) async fn end(self) {
        self.stop.send_replace(true);
        match self.running.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => error!("{error}"),
            Err(error) => error!("the scheduler died: {error}"),
        }
    }
}

/// Starts a scheduler that may lead or stand by, and answers at its address.
pub(crate) async fn serve(loaded: &Loaded, environment: &Environment) -> Result<Scheduler, Output> {
    let settings = &loaded.settings;
    let shown = tls::shown(loaded).map_err(|error| Output::failed(error, USAGE))?;
    let tls = shown.as_ref().map(tls::Shown::config).transpose();
    let tls = tls.map_err(|error| Output::failed(error, INVALID))?;
    let store = door::open(loaded, Schema::Migrate).await?;
    let listener = TcpListener::bind(settings.listen).await.map_err(|error| {
        let listen = settings.listen;
        Output::failed(
            format_args!(
                "cannot listen on {listen} ({}): {error}; if another Tidemill is there, stop it or give another `--listen`",
                loaded.origin("listen")
            ),
            USAGE,
        )
    })?;
    let address = listener.local_addr().unwrap_or(settings.listen);
    let token = token::find_or_make(loaded).map_err(|error| Output::failed(error, USAGE))?;
    let logs = parts::logs(loaded, environment)?;
    let (stop, stops) = watch::channel(false);
    let keys = parts::keys(loaded)?;
    let gives = parts::gives(loaded, &store, &keys, environment)?;
    let vault = Vault::new(store.clone(), keys, Arc::new(SystemRandom::new()));
    let (process, running) = Process::start(
        store.clone(),
        scheduler_settings(settings, address),
        stops.clone(),
    );
    let gate = Gate::new(process.clone(), &token, gives, logs, vault);
    let router = tidemill_scheduler::gateway::router(gate.clone());
    let limits = tidemill_scheduler::gateway::Limits::default();
    if let Some(shown) = shown {
        tokio::spawn(shown.keep_renewed());
    }
    tokio::spawn(tidemill_scheduler::gateway::serve(
        listener, tls, router, limits, stops,
    ));
    Ok(Scheduler {
        process,
        gate,
        store,
        address,
        running,
        stop,
    })
}

/// Starts a scheduler and waits until it leads.
async fn lead(loaded: &Loaded, environment: &Environment, stop: Stop) -> Result<Scheduler, Output> {
    let mut scheduler = serve(loaded, environment).await?;
    let leading = scheduler.process.clone();
    tokio::select! {
        lead = leading.leading() => match lead {
            Ok(_) => Ok(scheduler),
            Err(_) => Err(parts::ended((&mut scheduler.running).await).err().unwrap_or_default()),
        },
        () = stop.wait_for_stop() => {
            scheduler.end().await;
            Err(Output::default())
        }
    }
}

/// Brings the DAGs of this process to its own scheduler: what is there now is what new runs take.
pub(crate) async fn deploy(process: &Process, project: &parts::Held) -> Result<(), Output> {
    let (done, durable) = oneshot::channel();
    let bring = Bring {
        specs: project.specs.clone(),
        pools: project.pools.clone(),
        by: "standalone".into(),
        done: Some(done),
    };
    let failed = || Output::failed("the scheduler ended before it had the DAGs", UNREACHABLE);
    let inbox = process.inbox().map_err(|_| failed())?;
    let sent = inbox.send(ToLead::Bring(bring)).await;
    sent.map_err(|_| failed())?;
    durable.await.map_err(|_| failed())
}
