//! What a route asks of whoever comes.

use tidemill_access::Action;

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// Everybody, signed in or not.
    Public,
    /// Whoever is signed in and may do this. What can be done to single DAGs is open to whoever may do it to any: lists are
    /// narrowed row by row, and so is what is done to many at once.
    Signed(Action),
    /// Whoever may do this to the DAG that `{dag}` in the path names.
    OnDag(Action),
}

impl Policy {
    /// Everybody.
    pub const PUBLIC: Self = Self::Public;
    /// Looking at what is not of one DAG, or at lists over DAGs, narrowed row by row.
    pub const VIEW: Self = Self::Signed(Action::See);
    /// Changing what is one's own.
    pub const OWN: Self = Self::Signed(Action::Own);
    /// Changing runs of several DAGs, narrowed row by row.
    pub const OPERATE: Self = Self::Signed(Action::Operate);
    /// Setting what runs share: pools, workers, alerts.
    pub const SHARE: Self = Self::Signed(Action::Share);
    /// Connections and variables.
    pub const SECRETS: Self = Self::Signed(Action::Secrets);
    /// The whole audit log.
    pub const AUDIT: Self = Self::Signed(Action::Audit);
    /// Users, grants, tokens and sessions of others.
    pub const ACCESS: Self = Self::Signed(Action::Access);
    /// How this Tidemill works.
    pub const SETTINGS: Self = Self::Signed(Action::Settings);
    /// Looking at a DAG, its runs and its tasks.
    pub const VIEW_DAG: Self = Self::OnDag(Action::See);
    /// Changing a DAG, its runs and its tasks.
    pub const OPERATE_DAG: Self = Self::OnDag(Action::Operate);
    /// Bringing a DAG here and removing it.
    pub const DEPLOY_DAG: Self = Self::OnDag(Action::Deploy);
}
