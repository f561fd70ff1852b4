//! What a running task can see and ask for.

use std::any::{Any, TypeId, type_name};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{BoxFuture, LaunchKey, TaskError, TaskResult};
use crate::protocol::{CheckResult, Load};
use crate::text::Values;
use crate::time::Timestamp;

/// The time a run covers: from its start up to, not including, its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interval {
    /// Its first instant.
    pub start: DateTime<Utc>,
    /// The instant after its last.
    pub end: DateTime<Utc>,
}

/// What a task knows about its run and itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunFacts {
    /// The DAG.
    pub dag_id: String,
    /// The run.
    pub run_id: String,
    /// How the run came about.
    pub run_type: String,
    /// The task.
    pub task_id: String,
    /// Which instance of a mapped task.
    pub map_index: Option<u32>,
    /// 1 for the first attempt.
    pub attempt: u32,
    /// The time the run covers.
    pub interval: Interval,
    /// The DAG's time zone.
    pub zone: Tz,
    /// The run's params, complete.
    pub params: Value,
    /// What this instance of a mapped task is mapped over.
    pub item: Option<Value>,
    /// The key of this launch.
    pub key: LaunchKey,
}

impl RunFacts {
    /// What its placeholders are filled in from.
    #[must_use]
    pub fn values<'a>(
        &'a self,
        outputs: &'a [(String, Value)],
        variables: &'a [(String, String)],
    ) -> Values<'a> {
        Values {
            interval: (self.interval.start, self.interval.end),
            zone: self.zone,
            dag_id: &self.dag_id,
            run_id: &self.run_id,
            run_type: &self.run_type,
            task_id: &self.task_id,
            map_index: self.map_index,
            attempt: self.attempt,
            launch_key: self.key.as_str(),
            params: &self.params,
            item: self.item.as_ref(),
            outputs,
            variables,
        }
    }
}

/// A value that no log, page or error shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides this value.
    #[must_use]
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself, for the moment in which it is sent.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Where another system is and how to get in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// Its name.
    pub name: String,
    /// What kind of system it is, such as `google` or `http`.
    pub kind: String,
    /// What everybody may see: endpoint, project, user.
    pub fields: BTreeMap<String, String>,
    /// What nobody may see: password, key, token.
    pub secrets: BTreeMap<String, Secret>,
}

impl Connection {
    /// A connection without any fields.
    #[must_use]
    pub fn new(name: impl Into<String>, kind: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            kind: kind.into(),
            fields: BTreeMap::new(),
            secrets: BTreeMap::new(),
        }
    }

    /// With this field.
    #[must_use]
    pub fn with(mut self, field: impl Into<String>, value: impl Into<String>) -> Self {
        self.fields.insert(field.into(), value.into());
        self
    }

    /// With this secret.
    #[must_use]
    pub fn with_secret(mut self, field: impl Into<String>, value: impl Into<String>) -> Self {
        self.secrets.insert(field.into(), Secret::new(value));
        self
    }

    /// A field that has to be there.
    ///
    /// # Errors
    /// Names the connection and the field.
    pub fn field(&self, name: &str) -> TaskResult<&str> {
        self.fields.get(name).map(String::as_str).ok_or_else(|| {
            TaskError::permanent(format!("connection `{}` has no field `{name}`", self.name))
                .help("set it on the connection's page or with `connections set`")
        })
    }

    /// A secret that has to be there.
    ///
    /// # Errors
    /// Names the connection and the field.
    pub fn secret(&self, name: &str) -> TaskResult<&Secret> {
        self.secrets.get(name).ok_or_else(|| {
            TaskError::permanent(format!("connection `{}` has no secret `{name}`", self.name))
                .help("set it on the connection's page or with `connections set`")
        })
    }
}

/// How much a log line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// For whoever looks closely.
    Debug,
    /// What happens.
    Info,
    /// Something is odd.
    Warn,
    /// Something failed.
    Error,
}

/// Who runs tasks: a worker, or the testing kit. Time, secrets and other systems come from here and nowhere else.
pub trait Host: Send + Sync + 'static {
    /// What time it is.
    fn now(&self) -> DateTime<Utc>;
    /// Waits.
    fn sleep(&self, span: Duration) -> BoxFuture<'_, ()>;
    /// Fetches a connection.
    fn connection<'a>(&'a self, name: &'a str) -> BoxFuture<'a, TaskResult<Connection>>;
    /// Fetches a variable.
    fn variable<'a>(&'a self, name: &'a str) -> BoxFuture<'a, TaskResult<String>>;
    /// Writes a line to the attempt's log.
    fn log(&self, level: Level, line: &str);
    /// Shows how far the task is: a part of 1, and a few words.
    fn progress(&self, part: f64, words: &str);
    /// Keeps a load, complete, for the report that ends the attempt. It is on record once the attempt has ended, whether
    /// well or badly.
    fn load(&self, load: Load);
    /// Keeps what came of a check of data, likewise.
    fn check(&self, result: CheckResult);
    /// Whether the task should stop.
    fn is_cancelled(&self) -> bool;
    /// A client or service shared by tasks, found by its type.
    fn service(&self, kind: TypeId) -> Option<Arc<dyn Any + Send + Sync>>;
}

/// What a running task can see and ask for.
#[derive(Clone)]
pub struct TaskContext {
    facts: Arc<RunFacts>,
    host: Arc<dyn Host>,
    began: Timestamp,
}

impl fmt::Debug for TaskContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskContext")
            .field("facts", &self.facts)
            .finish_non_exhaustive()
    }
}

impl TaskContext {
    /// What a host gives to the tasks that it runs.
    #[must_use]
    pub fn new(facts: RunFacts, host: Arc<dyn Host>) -> Self {
        Self {
            facts: Arc::new(facts),
            began: host.now().into(),
            host,
        }
    }

    /// What the task knows about its run and itself.
    #[must_use]
    pub fn facts(&self) -> &RunFacts {
        &self.facts
    }

    /// The time the run covers.
    #[must_use]
    pub fn interval(&self) -> Interval {
        self.facts.interval
    }

    /// The interval's start date in the DAG's time zone: `{ds}`.
    #[must_use]
    pub fn ds(&self) -> NaiveDate {
        self.facts
            .interval
            .start
            .with_timezone(&self.facts.zone)
            .date_naive()
    }

    /// The key under which this task's remote work is launched; the same after a crash.
    #[must_use]
    pub fn launch_key(&self) -> &LaunchKey {
        &self.facts.key
    }

    /// What time it is.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.host.now()
    }

    /// Waits. A task that waits long for another system should be a sensor or a remote job, which hold no slot.
    pub async fn sleep(&self, span: Duration) {
        self.host.sleep(span).await;
    }

    /// Fetches a connection. The task has to declare it (`.connection("crm")`), so that CI knows of it.
    ///
    /// # Errors
    /// There is none of this name, or it cannot be fetched now.
    pub async fn connection(&self, name: &str) -> TaskResult<Connection> {
        self.host.connection(name).await
    }

    /// Fetches a variable of the deployment.
    ///
    /// # Errors
    /// There is none of this name, or it cannot be fetched now.
    pub async fn variable(&self, name: &str) -> TaskResult<String> {
        self.host.variable(name).await
    }

    /// Writes a line to the attempt's log.
    pub fn info(&self, line: impl AsRef<str>) {
        self.host.log(Level::Info, line.as_ref());
    }

    /// Writes a warning to the attempt's log.
    pub fn warn(&self, line: impl AsRef<str>) {
        self.host.log(Level::Warn, line.as_ref());
    }

    /// Writes a line of any level to the attempt's log.
    pub fn log(&self, level: Level, line: impl AsRef<str>) {
        self.host.log(level, line.as_ref());
    }

    /// Shows how far the task is: a part of 1, and a few words.
    pub fn progress(&self, part: f64, words: impl AsRef<str>) {
        self.host.progress(part.clamp(0.0, 1.0), words.as_ref());
    }

    /// Puts a load on record: it is committed with the end of this attempt, whether that is good or bad. What is left at
    /// its default is filled in: from when the work began until now, `success` unless there is an error. A task that is
    /// deferred does it after it was resumed for the last time: what was recorded before it waited is not kept.
    pub fn record_load(&self, mut load: Load) {
        if load.started_at == Timestamp::default() {
            load.started_at = self.began;
        }
        if load.ended_at == Timestamp::default() {
            load.ended_at = self.host.now().into();
        }
        if load.status.is_empty() {
            let status = if load.error.is_some() {
                "failed"
            } else {
                "success"
            };
            status.clone_into(&mut load.status);
        }
        self.host.load(load);
    }

    /// Puts what came of a check of data on record: it is committed with the end of this attempt, as a load is. A check
    /// without a time was made now.
    pub fn record_check(&self, mut result: CheckResult) {
        if result.at == Timestamp::default() {
            result.at = self.host.now().into();
        }
        self.host.check(result.bounded());
    }

    /// Whether the task should stop.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.host.is_cancelled()
    }

    /// A client or service shared by tasks, found by its type. Tests put a fake in its place.
    ///
    /// # Errors
    /// Nobody provided one.
    pub fn service<T: Any + Send + Sync>(&self) -> TaskResult<Arc<T>> {
        let found = self
            .host
            .service(TypeId::of::<T>())
            .and_then(|service| service.downcast::<T>().ok());
        found.ok_or_else(|| {
            TaskError::permanent(format!(
                "nobody provided the service `{}`",
                type_name::<T>()
            ))
            .help("give it to the project, `Dags::new().service(…)`, or to the test")
        })
    }
}
