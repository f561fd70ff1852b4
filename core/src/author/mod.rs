//! How a DAG is written: `Dag::build`, typed edges, groups, mapping.
//!
//! The builder never fails and never panics. Everything that is wrong is collected as a [`Problem`](crate::Problem)
//! with the line of the author's code, so that CI shows all of it at once. What comes out is data
//! ([`DagSpec`](crate::spec::DagSpec)) and the code that the data names ([`Registry`](crate::operator::Registry)).

mod arg;
mod caught;
mod dag;
mod dags;
mod draft;
mod finish;
mod handle;
mod map;
mod scope;
mod special;

pub use arg::{Arg, In, Inputs, IntoInput, interval, param, run, text, value};
pub use dag::{Dag, DagBuilder};
pub use dags::{Dags, Family, Project, Resources, Services};
pub use handle::{Ends, Group, Mapped, Out, TaskHandle};
pub use map::{Each, IntoMapInput, List, MapInputs, Zip, each, zip};
pub use scope::Scope;
pub use special::{Answer, Approval, Branch, Gate, Sensor};
