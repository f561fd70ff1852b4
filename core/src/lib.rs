//! What a Tidemill DAG is: how it is written, checked, drawn, compared, and when it is due.
//!
//! This crate does no IO, asks no clock and rolls no dice: time, ids and chance are arguments. The scheduler, the
//! worker, the web pages and the tests all stand on it.

pub mod author;
pub mod check;
#[doc(hidden)]
pub mod crash;
pub mod diff;
pub mod graph;
pub mod id;
pub mod operator;
pub mod params;
pub mod problem;
pub mod protocol;
pub mod role;
pub mod snapshot;
pub mod span;
pub mod spec;
pub mod state;
pub mod text;
pub mod time;
pub mod timetable;
pub mod version;
pub mod wire;

pub use problem::{Problem, Rule};

/// What authors need: `use tidemill::prelude::*`.
pub mod prelude {
    pub use crate::author::{
        Answer, Approval, Branch, Dag, DagBuilder, Dags, Each, Ends, Gate, Group, In, Mapped, Out,
        Scope, Sensor, TaskHandle, each, interval, param, run, text, value, zip,
    };
    pub use crate::operator::{
        Choice, Connection, ErrorKind, Interval, LaunchKey, Operator, OrFail, Outcome, Poll,
        RemoteJob, Sense, TaskContext, TaskError, TaskFn, TaskResult,
    };
    pub use crate::protocol::Load;
    pub use crate::span::{days, hours, minutes, seconds};
    pub use crate::spec::{
        Alert, Asset, AssetExpr, At, Cron, Dedup, Destination, Every, Overlap, Retry, Severity,
        Table, Touches, Weight,
    };
    pub use crate::state::TriggerRule;
    pub use crate::text::Text;
    pub use chrono::{DateTime, NaiveDate, Utc};
    pub use serde::{Deserialize, Serialize};
}

/// What the code that macros write refers to. Not for people.
#[doc(hidden)]
pub mod __private {
    pub use crate::operator::{Choice, Returned, TaskContext, TaskError, TaskFn, TaskResult};
    pub use crate::params::{Limits, ParamKind, ParamSpec, ParamType, Params};
    pub use serde;
    pub use serde_json;
}
