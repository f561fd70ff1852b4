//! From settings to the parts of a process.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tidemill_core::author::{Dags, Resources};
use tidemill_core::operator::Registry;
use tidemill_core::spec::DagSpec;
use tidemill_core::time::Timestamp;
use tidemill_logs::LogKeeper;
use tidemill_scheduler::engine;
use tidemill_scheduler::gateway::Gives;
use tidemill_scheduler::lead::{Ended, Settings as SchedulerSettings};
use tidemill_scheduler::relay::{Log, Sinks};
use tidemill_scheduler::secrets::{Giver, KeyRing, Secrets};
use tidemill_store::Store;
use tidemill_worker::isolate::Program;
use tidemill_worker::{
    Config as WorkerConfig, Isolation as WorkerIsolation, Project, Remote, Services,
};
use tokio::task::JoinError;
use tracing::{error, warn};

use crate::clock;
use crate::config::kinds::Isolation;
use crate::config::settings::Settings;
use crate::config::{Environment, Loaded};
use crate::google_secrets::{GoogleSecrets, client};
use crate::kept_logs;
use crate::keys::{self, KeysError};
use crate::output::{INVALID, Output, UNREACHABLE, USAGE};
use crate::tls;

use super::token;

/// What the wall's clock shows.
pub(crate) fn wall() -> Timestamp {
    clock::now().into()
}

/// The DAGs of this binary.
#[derive(Debug)]
pub(crate) struct Held {
    /// As data.
    pub(crate) specs: Vec<Arc<DagSpec>>,
    /// The pools that the project declares.
    pub(crate) pools: BTreeMap<String, Option<u32>>,
    /// The queues that the project declares.
    pub(crate) queues: Vec<Arc<str>>,
    /// With their code.
    pub(crate) holds: Arc<Project>,
}

impl Held {
    /// These DAGs of a project, with its code and services.
    pub(crate) fn new(
        specs: Vec<Arc<DagSpec>>,
        (resources, registry): (&Resources, Registry),
        services: Services,
    ) -> Self {
        let pools = resources.pools.clone();
        let holds = Project::new(specs.iter().cloned(), registry, pools.clone(), services);
        let queues = resources.queues.iter();
        Self {
            queues: queues.map(|queue| queue.as_str().into()).collect(),
            specs,
            pools,
            holds: Arc::new(holds),
        }
    }
}

/// The DAGs of this binary. One with problems is left out, and they are said: the others run.
pub(crate) fn project(dags: &Dags, environment: &Environment) -> Held {
    let project = dags.validate();
    let broken: Vec<&str> = project
        .problems
        .iter()
        .filter_map(|problem| problem.dag.as_deref())
        .collect();
    for problem in &project.problems {
        error!("this DAG does not run: {problem}");
    }
    let sound = project
        .dags
        .iter()
        .filter(|dag| !broken.contains(&dag.spec().id().as_str()));
    let specs: Vec<Arc<DagSpec>> = sound.map(|dag| Arc::new(dag.spec().clone())).collect();
    let services = Services::new(super::attempt::services(dags, environment));
    Held::new(specs, (&project.resources, project.registry), services)
}

/// How the scheduler is set up.
pub(crate) fn scheduler_settings(settings: &Settings, address: SocketAddr) -> SchedulerSettings {
    SchedulerSettings {
        holder: reached_at(settings, address),
        lead_lease: settings.lead_lease,
        commit_within: SchedulerSettings::COMMIT_WITHIN,
        engine: engine::Config {
            deployment: settings.deployment.as_str().into(),
            lease: settings.lease,
            default_pool_slots: Some(settings.default_pool_slots.get()),
            ..engine::Config::default()
        },
        wall,
        sinks: Sinks::new(Arc::new(Log)),
    }
}

/// Where the scheduler of this process is reached.
pub(crate) fn reached_at(settings: &Settings, address: SocketAddr) -> String {
    let scheme = if settings.tls_cert.is_some() {
        "https"
    } else {
        "http"
    };
    format!("{scheme}://{address}")
}

/// How a worker is set up.
pub(crate) fn worker_config(settings: &Settings, program: Option<Program>) -> WorkerConfig {
    let name = settings.worker_name.as_ref().map_or_else(
        || format!("{}-{}", machine(), std::process::id()),
        |name| name.as_str().to_owned(),
    );
    WorkerConfig {
        name: name.into(),
        build: env!("CARGO_PKG_VERSION").into(),
        slots: settings.slots.get(),
        queues: settings
            .queues
            .iter()
            .map(|queue| queue.as_str().into())
            .collect(),
        labels: settings
            .labels
            .iter()
            .map(|(key, value)| (key.as_str().into(), value.as_str().into()))
            .collect(),
        grace: settings.grace,
        isolation: WorkerIsolation {
            program,
            all: settings.isolation == Isolation::Process,
            memory_max: settings.memory_max.map(|bytes| bytes.0),
        },
        looks_per_second: settings.looks_per_second.0.clone(),
        wall,
    }
}

/// A worker's way to the schedulers of the settings.
pub(crate) fn remote(loaded: &Loaded) -> Result<Remote, Output> {
    let token = token::find(loaded).map_err(|error| Output::failed(error, USAGE))?;
    let all = loaded.settings.server.iter();
    let servers: Vec<String> = all.map(|server| server.as_str().to_owned()).collect();
    let secure = servers.iter().any(|server| server.starts_with("https://"));
    let trust = secure.then(|| tls::trust(loaded)).transpose();
    let trust = trust.map_err(|error| Output::failed(error, USAGE))?;
    let remote = Remote::new(&servers, token, trust.map(Arc::new).as_ref());
    remote.map_err(|error| Output::failed(error, USAGE))
}

/// The machine's name, as the system knows it.
fn machine() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name: String = name
        .trim()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    if name.is_empty() {
        "worker".to_owned()
    } else {
        name
    }
}

/// Opens the place where logs are kept. What came since the last moment is forced to the disk every second.
pub(crate) fn logs(loaded: &Loaded, environment: &Environment) -> Result<LogKeeper, Output> {
    let keeper = kept_logs::open(loaded, environment)?;
    let kept = keeper.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            if let Err(error) = kept.sync().await {
                error!("logs are not safe on the disk: {error}");
            }
        }
    });
    Ok(keeper)
}

/// The keys that connections and variables are sealed with; none if nobody gave any.
pub(crate) fn keys(loaded: &Loaded) -> Result<Arc<KeyRing>, Output> {
    match keys::find(loaded) {
        Ok(keys) => Ok(Arc::new(keys.ring)),
        Err(error @ KeysError::Missing(_)) => {
            warn!("nothing that is sealed in the database can be read: {error}");
            Ok(Arc::new(KeyRing::empty()))
        }
        Err(error) => Err(Output::failed(error, USAGE)),
    }
}

/// What gives tasks their connections and variables.
pub(crate) fn gives(
    loaded: &Loaded,
    store: &Store,
    keys: &Arc<KeyRing>,
    environment: &Environment,
) -> Result<Arc<dyn Gives>, Output> {
    let secrets = secrets(loaded, store, keys, environment)?;
    Ok(Arc::new(Giver::new(secrets, wall)))
}

/// Where connections and variables are looked for: this environment, the store, Secret Manager if it is set.
pub(crate) fn secrets(
    loaded: &Loaded,
    store: &Store,
    keys: &Arc<KeyRing>,
    environment: &Environment,
) -> Result<Secrets, Output> {
    let variables = environment.beginning("TIDEMILL_");
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut secrets = Secrets::new(variables.collect(), store.clone(), Arc::clone(keys));
    if loaded.settings.secrets_project.is_some() {
        let client = client().map_err(|error| Output::failed(error, INVALID))?;
        if let Some(source) = GoogleSecrets::of(&loaded.settings, &client) {
            secrets = secrets.and_then(Arc::new(source));
        }
    }
    Ok(secrets)
}

/// How a scheduler ended by itself.
pub(crate) fn ended(ended: Result<Result<(), Ended>, JoinError>) -> Result<(), Output> {
    match ended {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(Output::failed(error, UNREACHABLE)),
        Err(error) => Err(Output::failed(
            format_args!("the scheduler died: {error}"),
            INVALID,
        )),
    }
}
