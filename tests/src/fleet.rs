//! Schedulers, workers and a database as processes of their own, and what can be asked of them.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;
use tidemill_core::protocol::RunNo;
use tidemill_postgres::Cluster;
use tidemill_store::{Options, Store};
use tokio::time::{Instant, sleep};

use crate::http::{Answer, ask};
use crate::process::Process;
use crate::witness::Witness;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// How often something that is waited for is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// How much of each log is shown when a test fails.
const TAIL_LINES: usize = 40;

/// A port that nobody has, below those that the system gives to outgoing connections: it is still free after a restart.
#[must_use]
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let base = u16::try_from(std::process::id() % 97).unwrap_or(0) * 120;
    loop {
        let port = 20_000 + base + NEXT.fetch_add(1, Ordering::Relaxed);
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

/// The settings of its database. The machine itself never dies here, so nothing has to reach the disk.
const DATABASE: &str = "-c max_connections=100 -c shared_buffers=32MB -c fsync=off";

/// What a fleet is made of.
#[derive(Debug, Clone, Default)]
pub struct Setup {
    /// The plant's binary and the words before the witness's folder.
    pub plant: Vec<String>,
    /// How many schedulers; none is one process for all, on SQLite.
    pub schedulers: usize,
    /// How many workers.
    pub workers: usize,
    /// More flags of schedulers.
    pub of_schedulers: Vec<String>,
    /// More flags of workers.
    pub of_workers: Vec<String>,
}

impl Setup {
    /// Everything in one process.
    #[must_use]
    pub fn standalone(plant: &[&str]) -> Self {
        Self {
            plant: plant.iter().map(ToString::to_string).collect(),
            ..Self::default()
        }
    }

    /// Two schedulers and some workers.
    #[must_use]
    pub fn apart(plant: &[&str], workers: usize) -> Self {
        Self {
            schedulers: 2,
            workers,
            ..Self::standalone(plant)
        }
    }

    /// With these flags of the scheduler.
    #[must_use]
    pub fn scheduler(mut self, flags: &[&str]) -> Self {
        self.of_schedulers
            .extend(flags.iter().map(ToString::to_string));
        self
    }

    /// With these flags of the workers.
    #[must_use]
    pub fn worker(mut self, flags: &[&str]) -> Self {
        self.of_workers
            .extend(flags.iter().map(ToString::to_string));
        self
    }
}

/// Processes that belong together.
#[derive(Debug)]
pub struct Fleet {
    setup: Setup,
    processes: BTreeMap<String, Process>,
    addresses: BTreeMap<String, SocketAddr>,
    /// What the tasks did.
    pub witness: Witness,
    /// The database, if it is a server.
    pub cluster: Option<Cluster>,
    /// The database, to look into.
    pub store: Store,
    url: String,
    dir: TempDir,
}

impl Fleet {
    /// Starts all of it, and waits until somebody leads and all workers are there.
    pub async fn start(setup: Setup) -> Self {
        let dir = tempfile::tempdir().expect("there is room for a folder");
        let cluster = (setup.schedulers > 0).then(|| Cluster::start(free_port(), DATABASE));
        let file = dir.path().join("tidemill.db");
        let url = cluster.as_ref().map_or_else(
            || format!("sqlite://{}", file.display()),
            |cluster| cluster.url("postgres"),
        );
        let options = Options {
            readers_max: 2,
            connect_within: Duration::from_secs(2),
            ..Options::default()
        };
        let store = Store::open(&url, options).await.expect("the store opens");
        let mut fleet = Self {
            witness: Witness::at(&dir.path().join("witness")),
            processes: BTreeMap::new(),
            addresses: BTreeMap::new(),
            cluster,
            store,
            url,
            dir,
            setup,
        };
        for name in fleet.schedulers() {
            let address = (Ipv4Addr::LOCALHOST, free_port()).into();
            fleet.addresses.insert(name, address);
        }
        for name in fleet.schedulers().into_iter().chain(fleet.workers()) {
            fleet.run(&name, &[]);
        }
        fleet.ready().await;
        fleet
    }

    /// The names of its schedulers.
    #[must_use]
    pub fn schedulers(&self) -> Vec<String> {
        match self.setup.schedulers {
            0 => vec!["all".to_owned()],
            some => (0..some).map(|nth| format!("s{nth}")).collect(),
        }
    }

    /// The names of its workers.
    #[must_use]
    pub fn workers(&self) -> Vec<String> {
        (0..self.setup.workers)
            .map(|nth| format!("w{nth}"))
            .collect()
    }

    /// Starts a process that does not run, with some flags for this once.
    pub fn run(&mut self, name: &str, flags: &[&str]) {
        self.run_build(name, flags, 1);
    }

    /// The same of another build.
    pub fn run_build(&mut self, name: &str, flags: &[&str], build: u32) {
        let (program, first) = self.setup.plant.split_first().expect("there is a plant");
        let mut command = Command::new(program);
        command
            .args(first)
            .arg(self.witness.dir())
            .arg(build.to_string())
            .env("TIDEMILL_TOKEN", TOKEN)
            .current_dir(self.dir.path());
        if let Some(address) = self.addresses.get(name) {
            let role = if self.setup.schedulers == 0 {
                "standalone"
            } else {
                "scheduler"
            };
            command
                .args([role, "--database", &self.url])
                .args(["--listen", &address.to_string()])
                .arg("--data-dir")
                .arg(self.dir.path().join("data"))
                .args(&self.setup.of_schedulers);
        } else {
            command.args(["worker", "--worker-name", name]);
            for address in self.addresses.values() {
                command.args(["--server", &format!("http://{address}")]);
            }
            command.args(&self.setup.of_workers);
        }
        let process = Process::start(command.args(flags), &self.log(name)).armed(!flags.is_empty());
        let before = self.processes.insert(name.to_owned(), process);
        if let Some(mut before) = before {
            assert!(before.ended().is_some(), "{name} runs already");
        }
    }

    fn log(&self, name: &str) -> PathBuf {
        self.dir.path().join(format!("{name}.log"))
    }

    /// A process.
    pub fn process(&mut self, name: &str) -> &mut Process {
        self.processes
            .get_mut(name)
            .unwrap_or_else(|| panic!("there is no {name}"))
    }

    /// The name of the process with this number.
    #[must_use]
    pub fn named(&self, pid: u32) -> Option<String> {
        let mut all = self.processes.iter();
        all.find(|(_, process)| process.pid() == pid)
            .map(|(name, _)| name.clone())
    }

    /// Waits until a process has ended.
    pub async fn ended(&mut self, name: &str, within: Duration) {
        let late = Instant::now() + within;
        while self.process(name).ended().is_none() {
            assert!(Instant::now() < late, "{name} did not end");
            sleep(LOOK_EVERY).await;
        }
    }

    /// Tells a process to end, waits until it has, and starts it again.
    pub async fn restart(&mut self, name: &str, flags: &[&str]) {
        self.process(name).signal(Signal::CONT);
        self.process(name).signal(Signal::TERM);
        self.ended(name, Duration::from_secs(60)).await;
        self.run(name, flags);
    }

    /// Everything that does not run does again.
    pub fn heal(&mut self) {
        if let Some(cluster) = &mut self.cluster {
            cluster.go_on();
        }
        for process in self.processes.values_mut() {
            if process.is_paused() {
                process.signal(Signal::CONT);
            }
        }
        self.revive();
    }

    /// What has ended is started again.
    pub fn revive(&mut self) {
        let all = self.processes.iter_mut();
        let ended = all.filter_map(|(name, process)| process.ended().map(|_| name.clone()));
        let ended: Vec<String> = ended.collect();
        for name in ended {
            self.run(&name, &[]);
        }
    }

    /// Waits until something is there.
    pub async fn until<T>(
        &self,
        what: &str,
        within: Duration,
        mut look: impl AsyncFnMut(&Self) -> Option<T>,
    ) -> T {
        let late = Instant::now() + within;
        loop {
            if let Some(found) = look(self).await {
                return found;
            }
            assert!(Instant::now() < late, "in {within:?} not: {what}");
            sleep(LOOK_EVERY).await;
        }
    }

    /// The scheduler that says that it leads. A paused one says nothing.
    pub async fn leader(&self) -> Option<String> {
        for (name, address) in &self.addresses {
            if self.processes.get(name).is_some_and(Process::is_paused) {
                continue;
            }
            let answer = ask(*address, "GET /ready", TOKEN, None).await;
            if answer.is_some_and(|answer| answer.status == 200) {
                return Some(name.clone());
            }
        }
        None
    }

    /// Waits until somebody leads, and says who.
    pub async fn led(&self) -> String {
        let minute = Duration::from_secs(60);
        self.until("somebody leads", minute, async |fleet| fleet.leader().await)
            .await
    }

    /// Waits until somebody leads and all workers are there.
    pub async fn ready(&self) {
        let wanted = self.setup.workers.max(1);
        let minute = Duration::from_secs(60);
        self.until("all workers are there", minute, async |fleet| {
            let answer = fleet.request("GET /api/v1/fleet", None).await?;
            let seen: Value = serde_json::from_str(&answer.body).ok()?;
            let workers = seen["workers"].as_array()?;
            let there = workers.iter().filter(|worker| worker["draining"] == false);
            (there.count() >= wanted).then_some(())
        })
        .await;
    }

    /// Asks whoever leads.
    pub async fn request(&self, what: &str, body: Option<&str>) -> Option<Answer> {
        let leader = self.leader().await?;
        ask(self.addresses[&leader], what, TOKEN, body).await
    }

    /// Makes a run of this name. What ends meanwhile is started again.
    ///
    /// # Panics
    /// When nobody makes it in a minute.
    pub async fn trigger(&mut self, dag: &str, name: &str) -> RunNo {
        let command = json!({"trigger": {"dag": dag, "name": name}});
        let body = json!({"by": "tests", "command": command}).to_string();
        let id = tidemill_core::id::DagId::parse(dag).expect("it is a name");
        let late = Instant::now() + Duration::from_secs(60);
        loop {
            let answer = self.request("POST /api/v1/commands", Some(&body)).await;
            // An answer may be lost: then the name is taken by our own run.
            if answer.is_some()
                && let Ok(Some(run)) = self.store.run_named(&id, name).await
            {
                return run.id;
            }
            assert!(Instant::now() < late, "`{name}` is not made: {answer:?}");
            self.revive();
            sleep(LOOK_EVERY).await;
        }
    }

    /// The folder of everything.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    fn show(&self) {
        let mut to = std::io::stderr().lock();
        for (name, process) in &self.processes {
            let said = process.said();
            let lines: Vec<&str> = said.lines().collect();
            let tail = &lines[lines.len().saturating_sub(TAIL_LINES)..];
            let _ = writeln!(to, "-- {name}\n{}", tail.join("\n"));
        }
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.show();
        }
        for process in self.processes.values_mut() {
            process.kill();
        }
    }
}
