//! The messages of a connection between a worker and the scheduler, and how it goes: the worker offers the DAG versions it
//! holds, brings those that the scheduler asks for, says hello, and from then on both sides speak when they have something
//! to say. What a worker reports stays with it until it is answered, and is said again over the next connection.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::id::{DagId, TaskId};
use crate::operator::{Connection, Secret, TaskError, TaskResult};
use crate::protocol::{Assignment, AttemptRef, Hello, LogAck, LogChunk, Report, Verdict};
use crate::span::as_text;
use crate::spec::{DagSpec, is_default};
use crate::version::Version;

/// The protocol that this build speaks. It grows when an older side would misunderstand a newer one.
pub const PROTOCOL: u32 = 1;

/// The longest message; both sides refuse a longer one.
pub const MESSAGE_BYTES_MAX: usize = 64 << 20;

/// What a task may return, as JSON.
pub const OUTPUT_BYTES_MAX: usize = 1 << 20;

/// What a worker says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FromWorker {
    /// First: what it holds. It is answered by [`ToWorker::Need`] or [`ToWorker::Refused`].
    Offer {
        /// The protocol it speaks.
        protocol: u32,
        /// Its name.
        worker: Arc<str>,
        /// The DAG versions that it holds.
        versions: Vec<(DagId, Version)>,
    },
    /// Second, if something was asked for: DAG versions, and the pools that their project declares.
    Bring {
        /// The versions.
        specs: Vec<Arc<DagSpec>>,
        /// Pools and their slots; one that is there already stays as it is.
        pools: BTreeMap<String, Option<u32>>,
    },
    /// Third: it is ready. It is answered by [`ToWorker::Welcome`].
    Hello(Hello),
    /// What became of attempts, in order.
    Reports(Vec<(AttemptRef, Report)>),
    /// An attempt cannot be stopped yet; it is tried again. Nobody answers: it is said anew at the next try, and over the
    /// next connection. Only for a scheduler whose [`ToWorker::Welcome`] says that it hears this.
    Stuck {
        /// Which.
        attempt: AttemptRef,
        /// What stands in the way, for people.
        why: Arc<str>,
        /// How long until the next try.
        #[serde(with = "as_text")]
        again: Duration,
    },
    /// It is alive; answered by [`ToWorker::Beaten`].
    Beat {
        /// Which beat.
        nth: u64,
    },
    /// It takes nothing new.
    Draining,
    /// It takes orders again, as [`ToWorker::Drain`] said.
    Ready,
    /// It holds nothing any more and goes.
    Left,
    /// Pieces of logs, in order; answered by [`ToWorker::LogsKept`].
    Logs(Vec<LogChunk>),
    /// A task needs something that only the scheduler can fetch; answered by [`ToWorker::Given`].
    Ask {
        /// The answer bears it.
        id: u64,
        /// What.
        what: Asked,
    },
}

/// What a task needs of the scheduler.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Asked {
    /// A connection.
    Connection(String),
    /// A variable.
    Variable(String),
}

/// What the scheduler says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToWorker {
    /// The DAG versions that it does not know yet.
    Need {
        /// Which.
        versions: Vec<(DagId, Version)>,
    },
    /// The worker is in.
    Welcome {
        /// How long it may be silent.
        #[serde(with = "as_text")]
        lease: Duration,
        /// Whether the scheduler hears of what cannot be stopped; an older one does not.
        #[serde(default)]
        hears_stuck: bool,
    },
    /// Something to do.
    Assign(Order),
    /// Stop an attempt, and cancel what it started outside.
    Stop(AttemptRef),
    /// What became of a report, in the order of the reports on this attempt.
    Answer(AttemptRef, Verdict),
    /// A beat was heard.
    Beaten {
        /// Which.
        nth: u64,
        /// Whether the scheduler knows that it still leads. If not, and another one says that it does, the worker goes there.
        leads: bool,
    },
    /// These pieces of logs are kept.
    LogsKept(Vec<LogAck>),
    /// What a task asked for.
    Given {
        /// What was asked.
        id: u64,
        /// It.
        what: Result<Given, TaskError>,
    },
    /// A person wants it to take nothing new, or to take orders again. It stays connected, finishes what it runs, and hands over
    /// what it only watches. Only for a worker whose [`Hello`] says that it hears this.
    Drain {
        /// Whether it stops taking orders.
        drain: bool,
    },
    /// The worker cannot be used; it ends.
    Refused {
        /// Why, for people.
        why: Arc<str>,
    },
}

/// What a scheduler said, and the names of messages that a newer one says and this build does not know.
pub type Heard = (Vec<ToWorker>, Vec<String>);

/// Reads what a scheduler says. A message that this build does not know is passed over and named; a known one that cannot be read
/// is an error, because an order must not be lost in silence.
///
/// # Errors
/// It is no list of messages.
pub fn read_to_worker(text: &str) -> Result<Heard, serde_json::Error> {
    let error = match serde_json::from_str::<Vec<ToWorker>>(text) {
        Ok(messages) => return Ok((messages, Vec::new())),
        Err(error) => error,
    };
    let Ok(all) = serde_json::from_str::<Vec<Value>>(text) else {
        return Err(error);
    };
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for message in all {
        let name = match &message {
            Value::String(name) => Some(name.clone()),
            Value::Object(fields) => fields.keys().next().cloned(),
            _ => None,
        };
        match (serde_json::from_value(message), name) {
            (Ok(message), _) => known.push(message),
            (Err(error), Some(name)) => {
                let is_unknown = format!("unknown variant `{name}`");
                if !error.to_string().starts_with(&is_unknown) {
                    return Err(error);
                }
                unknown.push(name);
            }
            (Err(error), None) => return Err(error),
        }
    }
    Ok((known, unknown))
}

/// An attempt, with what its arguments are made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// The attempt.
    pub assignment: Assignment,
    /// What the upstream tasks that it names returned; JSON.
    #[serde(default, skip_serializing_if = "is_default")]
    pub outputs: Vec<(TaskId, Arc<str>)>,
}

/// What a task asked for.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Given {
    /// A connection, open: it only ever travels to the worker that asked.
    Connection {
        /// What kind of system it is.
        kind: String,
        /// What everybody may see.
        fields: BTreeMap<String, String>,
        /// What nobody may see.
        secrets: BTreeMap<String, String>,
    },
    /// A variable.
    Variable(String),
}

impl std::fmt::Debug for Given {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Connection { kind, .. } => write!(f, "Connection({kind}, …)"),
            Self::Variable(_) => f.write_str("Variable(…)"),
        }
    }
}

impl From<Connection> for Given {
    fn from(connection: Connection) -> Self {
        let open = |(name, secret): (String, Secret)| (name, secret.reveal().to_owned());
        Self::Connection {
            kind: connection.kind,
            fields: connection.fields,
            secrets: connection.secrets.into_iter().map(open).collect(),
        }
    }
}

impl Given {
    /// The connection of this name.
    ///
    /// # Errors
    /// It is a variable.
    pub fn connection(self, name: &str) -> TaskResult<Connection> {
        let Self::Connection {
            kind,
            fields,
            secrets,
        } = self
        else {
            return Err(TaskError::permanent(format!("`{name}` is no connection")));
        };
        let hide = |(name, secret): (String, String)| (name, Secret::new(secret));
        Ok(Connection {
            name: name.to_owned(),
            kind,
            fields,
            secrets: secrets.into_iter().map(hide).collect(),
        })
    }

    /// The variable of this name.
    ///
    /// # Errors
    /// It is a connection.
    pub fn variable(self, name: &str) -> TaskResult<String> {
        match self {
            Self::Variable(value) => Ok(value),
            Self::Connection { .. } => {
                Err(TaskError::permanent(format!("`{name}` is no variable")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_side_is_understood() {
        let hello = r#"{"hello":{"worker":"w","build":"1","slots":4,"queues":["default"],"versions":[],"holds":[]}}"#;
        let FromWorker::Hello(hello) = serde_json::from_str(hello).unwrap() else {
            panic!("it is a hello")
        };
        assert!(hello.labels.is_empty() && !hello.hears_drain);
        let welcome: ToWorker = serde_json::from_str(r#"{"welcome":{"lease":"30s"}}"#).unwrap();
        let lease = Duration::from_secs(30);
        let hears_stuck = false;
        assert_eq!(welcome, ToWorker::Welcome { lease, hears_stuck });
    }

    #[test]
    fn what_a_newer_scheduler_says_is_passed_over_and_a_broken_order_is_not() {
        let text = r#"[{"beaten":{"nth":1,"leads":true}},{"sing":{"song":"x"}},"dance",{"drain":{"drain":true}}]"#;
        let (known, unknown) = read_to_worker(text).unwrap();
        let beaten = ToWorker::Beaten {
            nth: 1,
            leads: true,
        };
        assert_eq!(known, [beaten, ToWorker::Drain { drain: true }]);
        assert_eq!(unknown, ["sing", "dance"]);
        for broken in [
            r#"[{"drain":{"drain":7}}]"#,
            r#"[{"assign":{}}]"#,
            "[7]",
            "{}",
            "[",
        ] {
            assert!(read_to_worker(broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn a_connection_travels_and_is_shown_to_nobody() {
        let crm = Connection::new("crm", "http")
            .with("host", "crm.example")
            .with_secret("token", "s3cret");
        let given = Given::from(crm.clone());
        assert!(!format!("{given:?}").contains("s3cret"));
        let json = serde_json::to_string(&given).unwrap();
        let back: Given = serde_json::from_str(&json).unwrap();
        assert!(back.clone().variable("crm").is_err());
        assert_eq!(back.connection("crm"), Ok(crm));
    }
}
