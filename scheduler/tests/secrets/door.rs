//! A scheduler that leads on a database of its own, with its gate.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{Request, Response, header};
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use ring::rand::SystemRandom;
use serde_json::Value;
use tempfile::TempDir;
use tidemill_core::operator::{BoxFuture, TaskError, TaskResult};
use tidemill_core::time::Timestamp;
use tidemill_core::wire::{Asked, Given};
use tidemill_logs::LogKeeper;
use tidemill_scheduler::engine::Config;
use tidemill_scheduler::gateway::{Gate, Gives, Vault, router};
use tidemill_scheduler::lead::{Process, Settings};
use tidemill_scheduler::relay::{Log, Sinks};
use tidemill_scheduler::secrets::KeyRing;
use tidemill_store::history::AuditOf;
use tidemill_store::{Options, Store};
use tokio::sync::watch;

pub(crate) const NOW: Timestamp = Timestamp::from_micros(1_735_689_600_000_000);

/// No task asks here.
struct Nothing;

impl Gives for Nothing {
    fn give<'a>(&'a self, _: &'a Asked) -> BoxFuture<'a, TaskResult<Given>> {
        Box::pin(async { Err(TaskError::permanent("nothing")) })
    }
}

pub(crate) struct Door {
    pub(crate) store: Store,
    process: Process,
    folder: TempDir,
    _stop: watch::Sender<bool>,
}

/// What was answered.
pub(crate) struct Said {
    pub(crate) status: u16,
    pub(crate) text: String,
    pub(crate) cache: String,
}

impl Said {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("{}", self.text))
    }

    /// What a problem is about.
    pub(crate) fn detail(&self) -> String {
        let json = self.json();
        let detail = json["detail"].as_str();
        detail.unwrap_or_else(|| panic!("{}", self.text)).to_owned()
    }
}

impl Door {
    pub(crate) async fn open() -> Self {
        let folder = tempfile::tempdir().expect("it works");
        let url = format!("sqlite://{}", folder.path().join("t.db").display());
        let store = Store::open(&url, Options::default())
            .await
            .expect("it works");
        let settings = Settings {
            holder: "http://127.0.0.1:1".to_owned(),
            lead_lease: Duration::from_secs(3600),
            commit_within: Settings::COMMIT_WITHIN,
            engine: Config::default(),
            wall: || NOW,
            sinks: Sinks::new(Arc::new(Log)),
        };
        let (stop, stops) = watch::channel(false);
        let (process, _) = Process::start(store.clone(), settings, stops);
        process.leading().await.expect("it works");
        Self {
            store,
            process,
            folder,
            _stop: stop,
        }
    }

    /// Asks a scheduler with these keys.
    pub(crate) async fn ask(&self, keys: KeyRing, line: &str, body: Option<&Value>) -> Said {
        let body = body.map_or_else(String::new, Value::to_string);
        self.say(keys, line, Some("right"), body).await
    }

    pub(crate) async fn say(
        &self,
        keys: KeyRing,
        line: &str,
        token: Option<&str>,
        body: String,
    ) -> Said {
        let random = Arc::new(SystemRandom::new());
        let vault = Vault::new(self.store.clone(), Arc::new(keys), random);
        let logs = LogKeeper::folder(self.folder.path()).expect("it works");
        let gate = Gate::new(
            self.process.clone(),
            "right",
            Arc::new(Nothing),
            logs,
            vault,
        );
        let (method, path) = line.split_once(' ').expect("it works");
        let mut request = Request::builder().method(method).uri(path);
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = request.body(Body::from(body)).expect("it works");
        let service = TowerToHyperService::new(router(gate));
        let answer: Response<Body> = service.call(request).await.expect("it works");
        let cache = answer.headers().get(header::CACHE_CONTROL);
        let cache = cache.map_or("", |value| value.to_str().expect("it works"));
        Said {
            status: answer.status().as_u16(),
            cache: cache.to_owned(),
            text: String::from_utf8(
                to_bytes(answer.into_body(), usize::MAX)
                    .await
                    .expect("it works")
                    .to_vec(),
            )
            .expect("it works"),
        }
    }

    /// The audit log, each line with everything in it.
    pub(crate) async fn audit(&self) -> Vec<String> {
        let rows = self.store.audits(&AuditOf::All, i64::MAX, 100).await;
        let rows = rows.expect("it works").into_iter().rev();
        rows.map(|row| {
            format!(
                "{} {} {} {}",
                row.actor, row.action, row.target, row.details
            )
        })
        .collect()
    }
}
