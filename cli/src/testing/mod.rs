//! The testing kit: build a DAG, assert on its graph, run one task with fake services and a virtual clock.
//!
//! ```
//! use tidemill::prelude::*;
//! use tidemill::testing::{TaskRun, valid};
//!
//! #[task]
//! async fn greet(ctx: &TaskContext, name: String) -> TaskResult<String> {
//!     ctx.sleep(hours(1)).await; // takes no time in a test
//!     Ok(format!("hello {name}, it is {}", ctx.ds()))
//! }
//!
//! let dag = valid(Dag::build("hello", |dag| dag.call("greet", greet, "{dag_id}")));
//! let ran = TaskRun::of(&dag, "greet").day("2025-01-31").run();
//! assert_eq!(ran.output::<String>(), "hello hello, it is 2025-01-31");
//! assert_eq!(ran.took, hours(1));
//! ```

mod graph;
mod host;
mod run;

pub use graph::{ValidDag, valid, valid_project};
pub use host::LogLine;
pub use run::{Ran, TaskRun};
