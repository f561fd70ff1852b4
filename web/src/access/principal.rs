//! Somebody who came in.

use std::collections::HashMap;
use std::sync::Arc;

use tidemill_access::{Action, DagFacts, Denied, Who, may, may_somewhere};
use tidemill_core::id::DagId;
use tidemill_core::role::Role;

/// The tags of the DAGs that have any. Grants and tokens may name them.
pub type Tags = HashMap<DagId, Vec<String>>;

/// Somebody who is signed in, or a program with a token.
#[derive(Debug, Clone)]
pub struct Principal {
    /// Their name, for the audit log.
    pub name: Arc<str>,
    /// What pages call them.
    pub display: Arc<str>,
    /// What they may do.
    pub who: Arc<Who>,
    /// The tags of DAGs; those that nobody's grants name may be missing.
    pub tags: Arc<Tags>,
}

impl Principal {
    /// Somebody with a role on everything.
    #[must_use]
    pub fn of(name: &str, role: Role) -> Self {
        Self {
            name: name.into(),
            display: name.into(),
            who: Arc::new(Who::of(role)),
            tags: Arc::default(),
        }
    }

    /// Whether they may do something that is not done to one DAG, or do it to any DAG at all.
    ///
    /// # Errors
    /// Why not.
    pub fn may(&self, action: Action) -> Result<(), Denied> {
        if action.is_of_dag() {
            may_somewhere(&self.who, action)
        } else {
            may(&self.who, action, None)
        }
    }

    /// Whether they may do something to this DAG.
    ///
    /// # Errors
    /// Why not.
    pub fn may_to(&self, action: Action, dag: &DagId) -> Result<(), Denied> {
        let facts = DagFacts {
            name: dag.as_str(),
            tags: self.tags.get(dag).map_or(&[], Vec::as_slice),
        };
        may(&self.who, action, Some(facts))
    }

    /// Whether they may know of this DAG. Every list is asked this of every row.
    #[must_use]
    pub fn sees(&self, dag: &DagId) -> bool {
        self.may_to(Action::See, dag).is_ok()
    }

    /// Whether there is no DAG that they may not know of.
    #[must_use]
    pub fn sees_all(&self) -> bool {
        let limit = self.who.limit.as_ref();
        limit.is_none_or(|limit| limit.dags.is_empty())
    }

    /// Whether they may make and change runs of this DAG.
    #[must_use]
    pub fn operates(&self, dag: &DagId) -> bool {
        self.may_to(Action::Operate, dag).is_ok()
    }
}
