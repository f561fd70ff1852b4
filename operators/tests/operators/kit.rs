//! A sandbox in this process for operators to talk to, and a clock that only moves when somebody waits.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use tempfile::TempDir;
use tidemill_core::operator::{BoxFuture, Connection, TaskResult};
use tidemill_operators::http::{Api, Client, Clients, Machine, Pace};
use tidemill_sandbox::{JobSettings, Programs, Sandbox, Settings};
use tokio::runtime::Runtime;
use tokio::sync::watch;

pub(crate) const STORAGE: Api = Api::google("storage", "https://storage.googleapis.com");

/// A sandbox that answers until this is dropped. It runs on threads of its own: tests run tasks, which start runtimes.
pub(crate) struct Kit {
    runtime: Runtime,
    pub(crate) base: String,
    stop: watch::Sender<bool>,
    folder: TempDir,
    http: reqwest::Client,
}

impl Kit {
    pub(crate) fn new() -> Self {
        Self::with(Programs::default())
    }

    /// A sandbox whose jobs run these programs.
    pub(crate) fn with(programs: Programs) -> Self {
        let folder = tempfile::tempdir().expect("it works");
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("it works");
        let anywhere = ([127, 0, 0, 1], 0).into();
        #[expect(
            clippy::disallowed_methods,
            reason = "the edge of the process is this test"
        )]
        let clock = Arc::new(Utc::now);
        let mut settings = Settings::new(folder.path().join("sandbox"), anywhere, clock);
        settings.jobs = JobSettings {
            time: Duration::from_millis(10),
            programs,
        };
        let sandbox = runtime.block_on(Sandbox::open(settings)).expect("it works");
        let base = format!("http://{}", sandbox.address());
        let (stop, stopped) = watch::channel(false);
        runtime.spawn(sandbox.serve(stopped));
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self {
            runtime,
            base,
            stop,
            folder,
            http: reqwest::Client::new(),
        }
    }

    /// A sandbox with the bucket `raw`.
    pub(crate) fn with_bucket() -> Self {
        let kit = Self::new();
        kit.good("POST", "/storage/v1/b?project=shop", json!({"name": "raw"}));
        kit
    }

    pub(crate) fn run<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// Where tests may write files.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The connection `google` to this sandbox.
    pub(crate) fn google(&self) -> Connection {
        Connection::new("google", "google")
            .with("endpoint", &self.base)
            .with("project", "shop")
    }

    /// Sends JSON, past everything that is tested, and gives the reply's.
    pub(crate) fn good(&self, verb: &str, path: &str, body: Value) -> Value {
        let request = self
            .http
            .request(
                verb.parse().expect("it works"),
                format!("{}{path}", self.base),
            )
            .header("content-type", "application/json")
            .body(body.to_string());
        self.run(async {
            let reply = request.send().await.expect("it works");
            let status = reply.status();
            let text = reply.text().await.expect("it works");
            assert!(status.is_success(), "{verb} {path}: {status} {text}");
            serde_json::from_str(&text).unwrap_or_default()
        })
    }

    /// Puts an object into `raw`.
    pub(crate) fn put(&self, name: &str, content: impl Into<Vec<u8>>) {
        let url = format!(
            "{}/upload/storage/v1/b/raw/o?uploadType=media&name={name}",
            self.base
        );
        let request = self.http.post(url).body(content.into());
        let reply = self.run(request.send()).expect("it works");
        assert!(reply.status().is_success(), "{name}");
    }

    /// The content of an object of `raw`; none if there is none.
    pub(crate) fn content(&self, name: &str) -> Option<Vec<u8>> {
        let url = format!("{}/storage/v1/b/raw/o/{name}?alt=media", self.base);
        self.run(async {
            let reply = self.http.get(url).send().await.expect("it works");
            if reply.status() == 404 {
                return None;
            }
            Some(reply.bytes().await.expect("it works").to_vec())
        })
    }

    /// Sets a fault of Cloud Storage for the next `count` requests of a method.
    pub(crate) fn fault(&self, method: &str, count: u32, kind: Value) {
        self.fault_of("storage", method, (0, count), kind);
    }

    /// Sets a fault of any service, after so many requests, for so many.
    pub(crate) fn fault_of(
        &self,
        service: &str,
        method: &str,
        (after, count): (u32, u32),
        kind: Value,
    ) {
        let fault = json!({ "service": service, "method": method, "after": after, "count": count, "kind": kind });
        self.good("POST", "/sandbox/faults", fault);
    }

    pub(crate) fn no_faults(&self) {
        self.good("DELETE", "/sandbox/faults", Value::Null);
    }

    /// What was asked of a method.
    pub(crate) fn asked(&self, method: &str) -> Vec<Value> {
        let path = format!("/sandbox/journal?method={method}");
        let journal = self.good("GET", &path, Value::Null);
        let entries = journal["entries"].as_array().expect("it works");
        entries
            .iter()
            .filter(|entry| entry["method"] == method)
            .cloned()
            .collect()
    }

    /// What a method changed.
    pub(crate) fn effects(&self, method: &str) -> Vec<String> {
        let asked = self.asked(method);
        let effects = asked
            .iter()
            .flat_map(|entry| entry["effects"].as_array().cloned().unwrap_or_default());
        effects
            .filter_map(|effect| effect.as_str().map(str::to_owned))
            .collect()
    }
}

impl Drop for Kit {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
    }
}

/// A clock that moves when somebody waits.
pub(crate) struct Waits {
    now: Mutex<DateTime<Utc>>,
    pub(crate) slept: Mutex<Vec<Duration>>,
    pub(crate) warned: Mutex<Vec<String>>,
    pub(crate) cancelled: std::sync::atomic::AtomicBool,
}

impl Waits {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            now: Mutex::new(DateTime::UNIX_EPOCH + TimeDelta::days(20_000)),
            slept: Mutex::default(),
            warned: Mutex::default(),
            cancelled: false.into(),
        })
    }

    pub(crate) fn pass(&self, span: Duration) {
        let mut now = self.now.lock().expect("it works");
        *now += TimeDelta::from_std(span).expect("it works");
    }

    pub(crate) fn slept(&self) -> Vec<Duration> {
        std::mem::take(&mut *self.slept.lock().expect("it works"))
    }

    pub(crate) fn warned(&self) -> String {
        self.warned.lock().expect("it works").join("\n")
    }
}

impl Pace for Waits {
    fn now(&self) -> DateTime<Utc> {
        *self.now.lock().expect("it works")
    }

    fn sleep(&self, span: Duration) -> BoxFuture<'_, ()> {
        self.pass(span);
        self.slept.lock().expect("it works").push(span);
        Box::pin(std::future::ready(()))
    }

    fn is_cancelled(&self) -> bool {
        self.cancelled.load(std::sync::atomic::Ordering::SeqCst)
    }

    fn warn(&self, line: &str) {
        self.warned.lock().expect("it works").push(line.to_owned());
    }
}

/// A client of Cloud Storage and its clock.
pub(crate) fn client(connection: &Connection) -> (Client, Arc<Waits>) {
    let (client, waits) = tried(connection, &Machine::default());
    (client.expect("it works"), waits)
}

/// The same on another machine, which may be refused.
pub(crate) fn tried(
    connection: &Connection,
    machine: &Machine,
) -> (TaskResult<Client>, Arc<Waits>) {
    let waits = Waits::new();
    let clients = Clients::new(machine.clone());
    let client = clients.client(connection, &STORAGE, Arc::clone(&waits) as Arc<_>);
    (client, waits)
}
