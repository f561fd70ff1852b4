//! The testing kit: build a DAG, assert on its graph, run one task or the whole DAG with fake services and a virtual
//! clock.
//!
//! ```
//! use tidemill::prelude::*;
//! use tidemill::testing::{DagRun, TaskRun, valid};
//!
//! #[task]
//! async fn greet(ctx: &TaskContext, name: String) -> TaskResult<String> {
//!     ctx.sleep(hours(1)).await; // takes no time in a test
//!     Ok(format!("hello {name}, it is {}", ctx.ds()))
//! }
//!
//! #[task]
//! fn shout(words: String) -> TaskResult<String> {
//!     Ok(words.to_uppercase())
//! }
//!
//! let dag = valid(Dag::build("hello", |dag| {
//!     let greeting = dag.call("greet", greet, "{dag_id}");
//!     dag.call("shout", shout, &greeting);
//! }));
//!
//! let ran = TaskRun::of(&dag, "greet").day("2025-01-31").run();
//! assert_eq!(ran.output::<String>(), "hello hello, it is 2025-01-31");
//! assert_eq!(ran.took, hours(1));
//!
//! let ran = DagRun::of(&dag).day("2025-01-31").run();
//! ran.assert_success();
//! assert_eq!(ran.output::<String>("shout"), "HELLO HELLO, IT IS 2025-01-31");
//! assert_eq!(ran.took(), hours(1));
//! ```

mod attempt;
mod clock;
mod crew;
mod dag_run;
mod given;
mod graph;
mod host;
mod play;
mod ran_dag;
mod rows;
mod run;
mod worker;

pub use dag_run::DagRun;
pub use graph::{ValidDag, valid, valid_project};
pub use host::LogLine;
pub use ran_dag::{Loaded, RanDag};
pub use run::{Ran, TaskRun};
pub use tidemill_core::state::{RunState, TaskState};
