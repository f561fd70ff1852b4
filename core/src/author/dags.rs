//! The DAGs of a project, and what they may refer to.

use std::any::{Any, TypeId};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::caught::{Panicked, caught};
use super::dag::Dag;
use crate::check;
use crate::operator::Registry;
use crate::problem::{Problem, Rule};
use crate::spec::{DEFAULT_POOL, DEFAULT_QUEUE};

/// Functions that build several DAGs at once, such as one for each table of a list.
pub type Family = Box<dyn Fn() -> Vec<Dag> + Send + Sync>;

/// Clients and services that tasks share, by their types.
pub type Services = HashMap<TypeId, Arc<dyn Any + Send + Sync>>;

/// What a project declares, so that CI finds a name that nobody meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resources {
    /// Pools and their slots; `None` for unlimited.
    pub pools: BTreeMap<String, Option<u32>>,
    /// Worker queues.
    pub queues: BTreeSet<String>,
    /// Connections and what kind of system each is.
    pub connections: BTreeMap<String, String>,
    /// Variables of the deployment.
    pub variables: BTreeSet<String>,
    /// Alert routes.
    pub routes: BTreeSet<String>,
    /// Assets that others change: another project, or a system that reports them.
    pub assets: BTreeSet<String>,
}

impl Default for Resources {
    fn default() -> Self {
        Self {
            pools: BTreeMap::from([(DEFAULT_POOL.to_owned(), Some(128))]),
            queues: BTreeSet::from([DEFAULT_QUEUE.to_owned()]),
            connections: BTreeMap::new(),
            variables: BTreeSet::new(),
            routes: BTreeSet::new(),
            assets: BTreeSet::new(),
        }
    }
}

/// The DAGs of a project and the names they may use. `tidemill::main` takes it.
///
/// ```
/// use tidemill_core::prelude::*;
/// fn nightly() -> Dag {
///     Dag::build("nightly", |dag| dag.empty("only").pool("bigquery"))
/// }
/// let project = Dags::new().pool("bigquery", 8).dag(nightly);
/// assert_eq!(project.validate().problems, []);
/// ```
#[derive(Default)]
#[must_use]
pub struct Dags {
    families: Vec<Family>,
    resources: Resources,
    services: Services,
}

impl std::fmt::Debug for Dags {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dags")
            .field("families", &self.families.len())
            .field("resources", &self.resources)
            .finish()
    }
}

/// All DAGs of a project, built, and everything that is wrong with them.
#[derive(Debug)]
pub struct Project {
    /// The DAGs, sorted by name; those with problems too.
    pub dags: Vec<Dag>,
    /// What is wrong, DAG by DAG.
    pub problems: Vec<Problem>,
    /// What the project declares.
    pub resources: Resources,
    /// The code that the DAGs name.
    pub registry: Registry,
}

impl Dags {
    /// A project without DAGs.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a DAG. It is given as a function, because a DAG that builds differently twice is found by building it
    /// twice.
    pub fn dag(self, build: impl Fn() -> Dag + Send + Sync + 'static) -> Self {
        self.family(move || vec![build()])
    }

    /// Adds several DAGs at once, such as one for each table of a list.
    pub fn family(mut self, build: impl Fn() -> Vec<Dag> + Send + Sync + 'static) -> Self {
        self.families.push(Box::new(build));
        self
    }

    /// Declares a pool and its slots.
    pub fn pool(mut self, name: impl Into<String>, slots: u32) -> Self {
        self.resources.pools.insert(name.into(), Some(slots));
        self
    }

    /// Declares a worker queue.
    pub fn queue(mut self, name: impl Into<String>) -> Self {
        self.resources.queues.insert(name.into());
        self
    }

    /// Declares a connection and what kind of system it is; its fields and secrets are the deployment's.
    pub fn connection(mut self, name: impl Into<String>, kind: impl Into<String>) -> Self {
        self.resources.connections.insert(name.into(), kind.into());
        self
    }

    /// Declares a variable of the deployment.
    pub fn variable(mut self, name: impl Into<String>) -> Self {
        self.resources.variables.insert(name.into());
        self
    }

    /// Declares an asset that DAGs may wait for although no task of this project changes it.
    pub fn outside_asset(mut self, uri: impl Into<String>) -> Self {
        self.resources.assets.insert(uri.into());
        self
    }

    /// Declares a route that alerts take.
    pub fn alert_route(mut self, name: impl Into<String>) -> Self {
        self.resources.routes.insert(name.into());
        self
    }

    /// Gives tasks a client or service that they share, found by its type: `ctx.service::<T>()`.
    pub fn service<T: Any + Send + Sync>(mut self, service: Arc<T>) -> Self {
        self.services.insert(TypeId::of::<T>(), service);
        self
    }

    /// The services that tasks share.
    #[must_use]
    pub const fn services(&self) -> &Services {
        &self.services
    }

    /// Builds every DAG once, without looking for problems between them.
    #[must_use]
    pub fn build(&self) -> Vec<Dag> {
        self.families
            .iter()
            .enumerate()
            .flat_map(|(nth, family)| built(nth, family))
            .collect()
    }

    /// Builds every DAG twice and collects everything that is wrong. A panic in one DAG is that DAG's fault; the
    /// others are checked all the same.
    #[must_use]
    pub fn validate(&self) -> Project {
        let mut dags = Vec::new();
        let mut problems = Vec::new();
        for (nth, family) in self.families.iter().enumerate() {
            let first = built(nth, family);
            problems.extend(check::differences(&first, &built(nth, family)));
            dags.extend(first);
        }
        dags.sort_by(|a, b| a.spec().id().cmp(b.spec().id()));
        let mut registry = Registry::default();
        for dag in &dags {
            problems.extend(dag.problems().iter().cloned());
            problems.extend(check::against_project(dag, &self.resources));
            for clash in registry.join(dag.registry()).err().into_iter().flatten() {
                let help = "give one of them another name; the name is how a worker finds the code";
                problems.push(
                    Problem::new(Rule::OperatorName, clash.to_string(), help).located(dag.spec()),
                );
            }
        }
        problems.extend(check::between(&dags, &self.resources));
        problems.sort_by(|a, b| {
            (&a.dag, &a.source.as_ref().map(|s| s.line))
                .cmp(&(&b.dag, &b.source.as_ref().map(|s| s.line)))
        });
        Project {
            dags,
            problems,
            resources: self.resources.clone(),
            registry,
        }
    }
}

fn built(nth: usize, family: &Family) -> Vec<Dag> {
    caught(family).unwrap_or_else(|Panicked { message, source }| {
        let help = "a builder must not panic: it runs in CI, in every worker and at every deploy";
        let mut problem = Problem::new(
            Rule::Panicked,
            format!("its builder panicked: {message}"),
            help,
        );
        problem.source = source;
        let id = format!("unnamed-{}", nth + 1);
        problem.dag = Some(id.clone());
        vec![Dag::broken(&id, problem)]
    })
}
