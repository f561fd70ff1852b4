//! What a worker holds: DAG versions, the code that they name, and the pools that their project declares.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use tidemill_core::check::{Needs, needs};
use tidemill_core::id::DagId;
use tidemill_core::operator::Registry;
use tidemill_core::spec::{DagSpec, TaskSpec};
use tidemill_core::version::Version;

use crate::host::Services;

/// What a worker holds.
#[derive(Debug, Default)]
pub struct Project {
    specs: HashMap<(DagId, Version), Arc<DagSpec>>,
    /// What has to be fetched for each task, worked out once.
    needs: HashMap<(DagId, Version), Vec<Needs>>,
    pub(crate) registry: Registry,
    pub(crate) pools: BTreeMap<String, Option<u32>>,
    pub(crate) services: Services,
}

impl Project {
    /// Holds these DAGs.
    #[must_use]
    pub fn new(
        specs: impl IntoIterator<Item = Arc<DagSpec>>,
        registry: Registry,
        pools: BTreeMap<String, Option<u32>>,
        services: Services,
    ) -> Self {
        let keyed = |spec: Arc<DagSpec>| ((spec.id().clone(), spec.version()), spec);
        let specs: HashMap<_, _> = specs.into_iter().map(keyed).collect();
        let of = |spec: &DagSpec| {
            let tasks = spec.definition.tasks.iter();
            tasks.map(|task| needs(&spec.definition, task)).collect()
        };
        let needs = specs
            .iter()
            .map(|(key, spec)| (key.clone(), of(spec)))
            .collect();
        Self {
            specs,
            needs,
            registry,
            pools,
            services,
        }
    }

    /// The versions that it holds, in order.
    pub(crate) fn versions(&self) -> Vec<(DagId, Version)> {
        let mut versions: Vec<_> = self.specs.keys().cloned().collect();
        versions.sort();
        versions
    }

    pub(crate) fn specs(&self, wanted: &[(DagId, Version)]) -> Vec<Arc<DagSpec>> {
        let found = wanted.iter().filter_map(|key| self.specs.get(key));
        found.cloned().collect()
    }

    /// A task, its DAG, and what has to be fetched for it.
    pub(crate) fn task(
        &self,
        key: &(DagId, Version),
        task: &str,
    ) -> Option<(&Arc<DagSpec>, &TaskSpec, &Needs)> {
        let spec = self.specs.get(key)?;
        let at = spec.definition.position(task)?;
        let needs = self.needs.get(key)?.get(at)?;
        Some((spec, &spec.definition.tasks[at], needs))
    }
}
